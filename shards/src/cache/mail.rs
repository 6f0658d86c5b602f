//! This shard's way to the others: a bounded queue into each, and a bounded backlog for what finds it full. It never
//! waits and never grows without end: how much may lie unread at a peer is counted in bytes too, and the peer tells what
//! it has read. What a refused message means is for the caller to know.

use super::message::{ToPeer, Words};
use std::collections::VecDeque;
use tidegate_mailbox::QueueWriter;

/// Bounds on what waits for one peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct MailBounds {
    /// Messages of the backlog.
    pub(super) waiting: usize,
    /// Bytes of the backlog; one message may cross it.
    pub(super) waiting_bytes: usize,
    /// Bytes sent that the peer has not read; one message may cross it.
    pub(super) unread_bytes: usize,
}

impl Default for MailBounds {
    fn default() -> Self {
        Self { waiting: 4_096, waiting_bytes: 2 << 20, unread_bytes: 1 << 20 }
    }
}

/// The part of the window that is told at once when it was read.
const TOLD_AT_ONCE: usize = 16;

struct Peer {
    writer: QueueWriter<ToPeer>,
    waiting: VecDeque<Words>,
    waiting_bytes: usize,
    /// Sent and not yet read.
    unread_bytes: usize,
    /// Read from it and not yet told.
    untold_bytes: usize,
}

/// The ways to all peers, by index; none to itself.
pub(super) struct Mail {
    me: u16,
    bounds: MailBounds,
    peers: Vec<Option<Peer>>,
}

impl Mail {
    /// `writers` are those of all shards, this one's left out.
    pub(super) fn new(me: u16, writers: Vec<Option<QueueWriter<ToPeer>>>, bounds: MailBounds) -> Self {
        let peer = |writer| Peer {
            writer,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            unread_bytes: 0,
            untold_bytes: 0,
        };
        Self { me, bounds, peers: writers.into_iter().map(|writer| writer.map(peer)).collect() }
    }

    /// Sends, now or as soon as there is room. `false`: there is no room to wait in either.
    pub(super) fn send(&mut self, to: u16, words: Words) -> bool {
        self.post(to, words, false)
    }

    /// The same for a message whose number is bounded elsewhere: it always finds room to wait.
    pub(super) fn send_surely(&mut self, to: u16, words: Words) {
        self.post(to, words, true);
    }

    fn post(&mut self, to: u16, words: Words, is_bounded_elsewhere: bool) -> bool {
        let (me, bounds) = (self.me, self.bounds);
        let Some(peer) = self.peer(to) else { return false };
        let bytes = words.bytes();
        let words = match peer.waiting.is_empty() {
            true => match peer.hand_over(me, bounds.unread_bytes, words, bytes) {
                Ok(()) => return true,
                Err(back) => back,
            },
            false => words,
        };
        let is_full = peer.waiting.len() >= bounds.waiting || peer.waiting_bytes >= bounds.waiting_bytes;
        if is_full && !is_bounded_elsewhere {
            return false;
        }
        peer.waiting_bytes += bytes;
        peer.waiting.push_back(words);
        true
    }

    /// Sends what waits, as far as it goes.
    pub(super) fn flush(&mut self) {
        let (me, window) = (self.me, self.bounds.unread_bytes);
        for peer in self.peers.iter_mut().flatten() {
            peer.tell(me, window);
            while let Some(words) = peer.waiting.pop_front() {
                let bytes = words.bytes();
                if let Err(back) = peer.hand_over(me, window, words, bytes) {
                    peer.waiting.push_front(back);
                    break;
                }
                peer.waiting_bytes -= bytes;
            }
        }
    }

    /// A message of a peer was read.
    pub(super) fn has_read(&mut self, from: u16, bytes: usize) {
        let (me, window) = (self.me, self.bounds.unread_bytes);
        if let Some(peer) = self.peer(from) {
            peer.untold_bytes += bytes;
            peer.tell(me, window);
        }
    }

    /// A peer has read so much.
    pub(super) fn was_read(&mut self, by: u16, bytes: usize) {
        if let Some(peer) = self.peer(by) {
            peer.unread_bytes = peer.unread_bytes.saturating_sub(bytes);
        }
        self.flush();
    }

    /// Whether the backlog of a peer is short enough to begin anew with it.
    pub(super) fn has_room(&self, to: u16) -> bool {
        let Some(Some(peer)) = self.peers.get(usize::from(to)) else { return false };
        peer.waiting.len() <= self.bounds.waiting / 2 && peer.waiting_bytes <= self.bounds.waiting_bytes / 2
    }

    /// Whether nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        let step = self.bounds.unread_bytes / TOLD_AT_ONCE;
        self.peers.iter().flatten().all(|peer| peer.waiting.is_empty() && peer.untold_bytes < step.max(1))
    }

    /// The most messages and bytes that wait for any peer.
    #[cfg(test)]
    pub(super) fn most_waiting(&self) -> (usize, usize) {
        let most = |of: fn(&Peer) -> usize| self.peers.iter().flatten().map(of).max().unwrap_or(0);
        (most(|peer| peer.waiting.len()), most(|peer| peer.waiting_bytes))
    }

    fn peer(&mut self, index: u16) -> Option<&mut Peer> {
        self.peers.get_mut(usize::from(index))?.as_mut()
    }
}

impl Peer {
    fn hand_over(&mut self, me: u16, window: usize, words: Words, bytes: usize) -> Result<(), Words> {
        if self.unread_bytes >= window {
            return Err(words);
        }
        self.writer.send(ToPeer { from: me, words }).map_err(|back| back.words)?;
        self.unread_bytes += bytes;
        Ok(())
    }

    /// Tells what was read of it, once that is worth a message.
    fn tell(&mut self, me: u16, window: usize) {
        if self.untold_bytes >= (window / TOLD_AT_ONCE).max(1) {
            let words = Words::Read(self.untold_bytes);
            if self.writer.send(ToPeer { from: me, words }).is_ok() {
                self.untold_bytes = 0;
            }
        }
    }
}
