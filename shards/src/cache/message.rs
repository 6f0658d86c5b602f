//! What shards say to each other about cached values. Messages of one shard to another arrive in the order in which they
//! were sent; nothing here may need more than that.

use std::sync::Arc;
use tidegate_js::{CacheUpdate, CacheValue};

/// A value on its way to other threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// JSON text.
    Json(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
}

impl Carried {
    pub(super) fn of(value: &CacheValue) -> Self {
        match value {
            CacheValue::Json(text) => Self::Json((&**text).into()),
            CacheValue::Bytes(bytes) => Self::Bytes((&**bytes).into()),
        }
    }

    /// A copy for this shard: reading it touches nothing that another core touches.
    pub(super) fn unpack(&self) -> CacheValue {
        match self {
            Self::Json(text) => CacheValue::Json((&**text).into()),
            Self::Bytes(bytes) => CacheValue::Bytes((&**bytes).into()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// A write, the same for all who hear of it.
#[derive(Debug)]
pub struct Write {
    /// Whose cache.
    pub(super) namespace: Arc<str>,
    /// Which value.
    pub(super) key: Box<str>,
    /// What it is now; `None` if it was deleted.
    pub(super) value: Option<Carried>,
    /// When it ends, in milliseconds of the coarse clock.
    pub(super) expires_ms: u64,
    /// The newest snapshot that the writer knew.
    pub(super) generation: u64,
}

/// A [`CacheUpdate`] on its way.
#[derive(Debug)]
pub enum Asked {
    /// Add.
    Increment {
        /// This much.
        by: i64,
        /// For a value that is new.
        ttl_ms: Option<u64>,
    },
    /// Write if it is as expected.
    CompareAndSet {
        /// What it must be.
        expected: Option<Carried>,
        /// What it becomes.
        value: Option<Carried>,
        /// How long that lives.
        ttl_ms: Option<u64>,
    },
    /// Tell.
    Read,
}

impl Asked {
    pub(super) fn of(update: &CacheUpdate) -> Self {
        let carried = |value: &Option<CacheValue>| value.as_ref().map(Carried::of);
        match update {
            CacheUpdate::Increment { by, ttl_ms } => Self::Increment { by: *by, ttl_ms: *ttl_ms },
            CacheUpdate::CompareAndSet { expected, value, ttl_ms } => {
                Self::CompareAndSet { expected: carried(expected), value: carried(value), ttl_ms: *ttl_ms }
            }
            CacheUpdate::Read => Self::Read,
        }
    }

    pub(super) fn unpack(&self) -> CacheUpdate {
        let unpacked = |value: &Option<Carried>| value.as_ref().map(Carried::unpack);
        match self {
            Self::Increment { by, ttl_ms } => CacheUpdate::Increment { by: *by, ttl_ms: *ttl_ms },
            Self::CompareAndSet { expected, value, ttl_ms } => CacheUpdate::CompareAndSet {
                expected: unpacked(expected),
                value: unpacked(value),
                ttl_ms: *ttl_ms,
            },
            Self::Read => CacheUpdate::Read,
        }
    }
}

/// A question to a key's owner.
#[derive(Debug)]
pub struct Question {
    /// Names it in the answer.
    pub(super) ticket: u64,
    /// Whose cache.
    pub(super) namespace: Arc<str>,
    /// Which value.
    pub(super) key: Box<str>,
    /// What is asked.
    pub(super) asked: Asked,
    /// The newest snapshot that the asker knew.
    pub(super) generation: u64,
}

/// What is said.
#[derive(Debug)]
pub enum Words {
    /// To the owner: I have written this. Numbers of one writer to one owner rise by one.
    Wrote {
        /// The writer's number.
        number: u64,
        /// The write.
        write: Arc<Write>,
    },
    /// To the owner: do this and tell me.
    Ask(Box<Question>),
    /// From the owner: this is the next write in the key's order.
    Ordered {
        /// The shard whose `Wrote` it was, with its number; nobody's if the owner made it.
        writer: Option<(u16, u64)>,
        /// The write.
        write: Arc<Write>,
    },
    /// From the owner: what became of a question.
    Answer {
        /// The asker's ticket.
        ticket: u64,
        /// The answer, or a sentence.
        outcome: Result<Option<Carried>, String>,
    },
    /// From an owner: forget what you have of my keys in this namespace, but for writes of yours beyond `upto`, which
    /// I have not seen. Some of my words did not fit into your mailbox.
    Forget {
        /// Whose cache.
        namespace: Arc<str>,
        /// Number of the last `Wrote` seen.
        upto: u64,
    },
    /// So many bytes of yours were read: as much may follow.
    Read(usize),
    /// The shard's last request was answered: it asks nothing more, and answers until nobody does.
    Done,
}

impl Words {
    /// What it keeps in memory until it is read.
    pub(super) fn bytes(&self) -> usize {
        const FRAME: usize = 96;
        let carried = |value: &Option<Carried>| value.as_ref().map_or(0, Carried::bytes);
        FRAME
            + match self {
                Self::Wrote { write, .. } | Self::Ordered { write, .. } => {
                    write.key.len() + carried(&write.value)
                }
                Self::Ask(question) => {
                    let values = match &question.asked {
                        Asked::CompareAndSet { expected, value, .. } => carried(expected) + carried(value),
                        Asked::Increment { .. } | Asked::Read => 0,
                    };
                    question.key.len() + values
                }
                Self::Answer { outcome: Ok(value), .. } => carried(value),
                Self::Answer { outcome: Err(why), .. } => why.len(),
                Self::Forget { .. } | Self::Read(_) | Self::Done => 0,
            }
    }
}

/// A message with its sender.
#[derive(Debug)]
pub struct ToPeer {
    /// Index of the shard that says it.
    pub(super) from: u16,
    /// What it says.
    pub(super) words: Words,
}
