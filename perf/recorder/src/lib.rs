//! The recorder: access records to disk with direct I/O, never in a shard's way.
