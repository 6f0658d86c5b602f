//! Sans-I/O HTTP/1.1: heads, framing, bodies, canonical paths and hosts.
//!
//! The rule of the house is *refuse, never repair*: what breaks the grammar is a [`Malformed`], and what passes is written
//! out anew from its parsed form, so that there is one reading of every message. Nothing here does I/O, spawns, logs, reads
//! a clock, or panics on bytes from the network; nothing is allocated per message once the buffers have grown.

mod body;
mod chunked;
mod diagnose;
pub mod encode;
mod facts;
mod fields;
mod grammar;
mod head;
mod host;
mod kind;
mod malformed;
mod path;
mod request;
mod response;
mod target;

pub use body::{BodyDecoder, Decoded};
pub use fields::Fields;
pub use head::{BodyFraming, HeadLimits, MAX_FIELDS, Version};
pub use host::canonical_host;
pub use kind::FieldKind;
pub use malformed::Malformed;
pub use path::{PathFlags, canonical_path};
pub use request::RequestHead;
pub use response::ResponseHead;
