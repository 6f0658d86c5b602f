//! What a shard does for the keys it owns: it brings writes into an order, tells everybody of them in that order, and
//! answers questions. A peer that cannot follow is told to forget; what the owner itself holds is not touched by that.

use super::entries::Rank;
use super::keeper::{BUSY, Keeper, Outcome, Whose};
use super::mail::Mail;
use super::message::{Asked, Carried, Question, Words, Write};
use super::space::Put;
use super::update::{Verdict, judge};
use std::sync::Arc;
use tidegate_js::CacheUpdate;

impl Keeper {
    /// Answers a peer's question; what it changed is told first, so that the asker sees it with the answer.
    pub(super) fn answer(&mut self, from: u16, question: Question, now_ms: u64, mail: &mut Mail) {
        let Question { ticket, namespace, key, asked, generation } = question;
        let is_read = matches!(asked, Asked::Read);
        let whose = Whose { name: &namespace, place: None, generation };
        let outcome = self.decide(whose, &key, asked.unpack(), now_ms, mail);
        let outcome = outcome.map(|value| value.as_ref().map(Carried::of));
        if !is_read {
            // Short, and as many as there are questions.
            return mail.send_surely(from, Words::Answer { ticket, outcome });
        }
        if let Ok(Some(value)) = &outcome {
            // Whoever asks may have forgotten it.
            let expires_ms = self.space(whose).expires_ms(&key);
            let (namespace, value) = (namespace.clone(), Some(value.clone()));
            let write = Arc::new(Write { namespace, key, value, expires_ms, generation });
            self.tell(from, None, &write, mail);
        }
        if !mail.send(from, Words::Answer { ticket, outcome }) {
            mail.send_surely(from, Words::Answer { ticket, outcome: Err(BUSY.into()) });
        }
    }

    /// Carries out an update of a key of this shard's, and tells the others.
    pub(super) fn decide(
        &mut self,
        whose: Whose<'_>,
        key: &str,
        update: CacheUpdate,
        now_ms: u64,
        mail: &mut Mail,
    ) -> Outcome {
        let (owner, limit) = (self.me, self.bounds.space_bytes);
        let space = self.space(whose);
        let present = space.get(key, now_ms).cloned();
        let ends = space.expires_ms(key);
        let Verdict { answer, write } = judge(key, present, ends, update, now_ms)?;
        let Some((value, expires_ms)) = write else { return Ok(answer) };
        match &value {
            Some(value) => {
                let put = Put { key, value: value.clone(), expires_ms, owner, rank: Rank::Exact };
                let evicted = space.put(put, limit).map_err(|_| {
                    format!(
                        "the cache of the namespace is full of counters ({limit} bytes, --cache-bytes): give them a ttl, \
                         or delete some"
                    )
                })?;
                self.counts.evictions += evicted;
            }
            None => space.remove(key),
        }
        self.counts.sets += 1;
        if self.shards > 1 {
            let (namespace, value) = (whose.name.clone(), value.as_ref().map(Carried::of));
            let generation = whose.generation;
            let write = Arc::new(Write { namespace, key: key.into(), value, expires_ms, generation });
            self.publish(None, &write, mail);
        }
        Ok(answer)
    }

    /// Tells all peers of a write to a key of this shard's.
    pub(super) fn publish(&mut self, writer: Option<(u16, u64)>, write: &Arc<Write>, mail: &mut Mail) {
        let me = self.me;
        for peer in (0..self.shards).filter(|peer| *peer != me) {
            self.tell(peer, writer, write, mail);
        }
    }

    fn tell(&mut self, peer: u16, writer: Option<(u16, u64)>, write: &Arc<Write>, mail: &mut Mail) {
        let behind = &mut self.behind[usize::from(peer)];
        let knows_all = !behind.contains(&write.namespace);
        if knows_all && mail.send(peer, Words::Ordered { writer, write: write.clone() }) {
            return;
        }
        if knows_all {
            behind.push(write.namespace.clone());
        }
        self.counts.dropped += 1;
    }

    /// Tells peers that miss something to forget, as far as there is room for it. Answers whether all know.
    pub(super) fn catch_up(&mut self, mail: &mut Mail) -> bool {
        for peer in 0..self.shards {
            let at = usize::from(peer);
            while !self.behind[at].is_empty() && mail.has_room(peer) {
                let namespace = self.behind[at].swap_remove(0);
                let words = Words::Forget { namespace: namespace.clone(), upto: self.seen[at] };
                if !mail.send(peer, words) {
                    self.behind[at].push(namespace);
                    break;
                }
            }
        }
        self.behind.iter().all(Vec::is_empty)
    }
}
