//! Jobs of modules: when they are due.

mod expression;

pub(crate) use expression::{Expression, ExpressionFault};
