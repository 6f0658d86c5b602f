//! Other people's clients and servers at both ends of the gateway. Which were found is printed; what is not installed is
//! skipped and says so, so that a run shows what it has proved.

#[path = "../harness/mod.rs"]
mod harness;

mod clients;
mod servers;
mod tool;
