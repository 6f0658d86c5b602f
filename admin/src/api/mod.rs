//! The admin API.
pub mod auth;
