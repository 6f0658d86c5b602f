//! The admin actor: one thread that owns the way from an applied change to the last core. It makes snapshots, hands them
//! to the shards, waits for their acknowledgements, writes what modules ask for, and serves the API beside that. Shards
//! talk to it through an [`Inbox`] and never wait for it.

mod counting;
mod events;
mod feed;
mod handle;
mod inbox;
mod node;
mod options;
mod pass;
mod publisher;
mod reply;
mod run;
mod scratch;
mod seed;
mod start;
mod writes;

#[cfg(test)]
mod tests;

pub use handle::AdminHandle;
pub use inbox::{Inbox, inbox};
pub use options::{Options, StartError};
pub use publisher::ShardLink;
pub use start::start;
