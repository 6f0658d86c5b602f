//! The bodies that one lease has open: the host's, which JavaScript reads, and pipes, which it writes. Numbers are never
//! used twice within a lease, and all are forgotten when it ends.

use std::rc::Rc;

use crate::host::Chunks;
use crate::pipe::Pipe;

/// Most open at once, of either kind.
const MAX_OPEN: usize = 64;

/// Both lists.
#[derive(Default)]
pub(crate) struct Streams {
    last: u32,
    open: Vec<(u32, Rc<dyn Chunks>)>,
    pipes: Vec<(u32, Rc<Pipe>)>,
}

impl Streams {
    fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1) & 0x3fff_ffff;
        self.last
    }

    /// Takes up a body of the host; `None`: too many are open.
    pub(crate) fn add_stream(&mut self, chunks: Rc<dyn Chunks>) -> Option<u32> {
        if self.open.len() >= MAX_OPEN {
            return None;
        }
        let number = self.number();
        self.open.push((number, chunks));
        Some(number)
    }

    /// A body of the host.
    pub(crate) fn stream(&self, number: u32) -> Option<Rc<dyn Chunks>> {
        self.open.iter().find(|(n, _)| *n == number).map(|(_, chunks)| chunks.clone())
    }

    /// Gives one up.
    pub(crate) fn drop_stream(&mut self, number: u32) {
        self.open.retain(|(n, _)| *n != number);
    }

    /// A new pipe; `None`: too many are open.
    pub(crate) fn add_pipe(&mut self) -> Option<u32> {
        if self.pipes.len() >= MAX_OPEN {
            return None;
        }
        let number = self.number();
        self.pipes.push((number, Rc::default()));
        Some(number)
    }

    /// A pipe that is still written.
    pub(crate) fn pipe(&self, number: u32) -> Option<Rc<Pipe>> {
        self.pipes.iter().find(|(n, _)| *n == number).map(|(_, pipe)| pipe.clone())
    }

    /// A pipe that ends now.
    pub(crate) fn take_pipe(&mut self, number: u32) -> Option<Rc<Pipe>> {
        let at = self.pipes.iter().position(|(n, _)| *n == number)?;
        Some(self.pipes.swap_remove(at).1)
    }

    /// True if none is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.pipes.is_empty()
    }

    /// The lease is over.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        for (_, pipe) in self.pipes.drain(..) {
            pipe.end(Some("the request is over".into()));
        }
    }
}
