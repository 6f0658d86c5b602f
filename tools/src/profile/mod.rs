//! `tidegate top` and `tidegate profile`: the gateway's latency profile live, and as a dump with a percentile plot. They
//! show what the admin API answers and measure nothing themselves.

mod axis;
mod chart;
mod dump;
mod hgrm;
mod series;
mod svg;
mod top;
mod words;

pub(crate) use dump::run as dump;
pub(crate) use top::run as top;
pub(crate) use words::{Dump, Top, is_command, subcommands, task};
