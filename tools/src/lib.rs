//! The client commands of the `tidegate` binary: `tidegate RESOURCE ACTION key=value…`, `status`, `changelog`, `cluster`,
//! `top` and `profile`. They know the admin API and nothing of the gateway's inside, and never import another package of the
//! house. The syntax is that of `dgate-cli` 1 and 2; where the two contradict each other, version 1 wins.
//!
//! Exit codes: 0 it worked, 1 the gateway refused or is not ready, 2 the command line is wrong, 3 the gateway could
//! not be reached.

mod address;
mod answer;
mod closest;
mod command;
mod failure;
mod field;
mod follow;
mod gateway;
mod help;
mod insight;
mod kinds;
mod log_lines;
mod options;
mod output;
mod profile;
mod properties;
mod request;
mod run;
mod schedule;
mod signals;
mod stats;
mod status;
mod table;
mod terminal;
mod value;
mod wire;

pub use command::Client;
pub use field::{Field, FieldType, Kind};
pub use gateway::Gateway;
pub use options::{Options, Output};
pub use output::{judged, print};
pub use run::run;

/// The kinds of resources and their fields: the one table that drives parsing, help and columns.
pub fn fields() -> &'static [Kind] {
    kinds::KINDS
}
