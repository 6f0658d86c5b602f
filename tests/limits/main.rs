//! Every bound of the data plane, crossed on purpose in the real process: what the client is told, what the log names and
//! what is counted. A neighbour on the same shard never notices.

#[path = "../harness/mod.rs"]
mod harness;

mod amounts;
mod times;
