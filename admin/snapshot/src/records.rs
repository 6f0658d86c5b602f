//! Where a shard's access lines go. The recorder implements it, the process hands it in, and the shard never waits on it.

/// Takes buffers full of access lines.
pub trait RecordSink: Send {
    /// An empty buffer to gather whole lines in, each with its line feed.
    fn buffer(&mut self) -> Vec<u8>;
    /// Hands a buffer over. `false`: its lines were dropped and counted.
    fn submit(&mut self, lines: Vec<u8>) -> bool;
}
