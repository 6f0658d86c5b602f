//! Bodies that modules write piece by piece while they are sent: a request's on its way up, a response's on its way down.
//! Their code is driven by whoever sends, and what it reads meanwhile is read for it; nothing is collected.

use super::{Exchange, Kept};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::link::Answered;
use crate::reply::Own;
use crate::respond;
use crate::script::{Feed, Source, Trouble};
use crate::upstream::Call;
use crate::wire::{Input, Output};
use std::rc::Rc;
use tidegate_js::Chunks;
use tidegate_reactor::clock;

impl Exchange<'_, '_> {
    /// The same with a body that modules write piece by piece while it is sent.
    pub(super) async fn call_in_pieces<'x>(
        &mut self,
        call: Call<'_>,
        pieces: Rc<dyn Chunks>,
        input: &mut Input,
    ) -> Result<Answered<'x>, Trouble> {
        let local = self.local;
        let framing = self.head.body();
        let Some(run) = &mut self.run else { return Err(Fault::NothingToCall.into()) };
        let mut source = Source {
            input,
            go_on: self.head.expects_continue().then_some(&mut *self.output),
            framing,
            allowance: call.route.max_body_bytes,
            limits: &local.limits,
            is_touched: &mut self.is_touched,
            is_read: &mut self.is_read,
        };
        let counters = &local.lender.counters;
        let mut upload = local
            .upstreams
            .begin_upload(&call, self.head, self.peer, &local.limits, counters, &mut self.spans)
            .await?;
        let mut feed = run.feed(pieces);
        let began_ns = clock::precise_ns();
        let sent = loop {
            match feed.next(&mut source, false).await {
                // An upstream that stops reading may have answered already.
                Ok(Some(piece)) if upload.send(&piece, &local.limits).await.is_err() => break Ok(true),
                Ok(Some(_)) => {}
                Ok(None) => break Ok(false),
                Err(trouble) => break Err(trouble),
            }
        };
        // As with any upload: it goes at the pace of whoever writes and whoever reads it.
        self.spans.waited_ns += clock::precise_ns() - began_ns;
        drop(feed);
        let is_cut = sent?;
        let answered =
            upload.answer(&call, self.head, is_cut, self.output, &local.limits, &mut self.spans).await?;
        self.let_go();
        Ok(answered)
    }

    /// A body that modules write while it is sent. They may read another meanwhile: the upstream's, or the request's.
    pub(super) async fn send_pieces(
        &mut self,
        mut own: Own,
        is_upstreams: bool,
        mut kept: Option<Kept>,
        input: &mut Input,
    ) -> (u16, bool) {
        let status = own.head.status();
        self.local.records.keep(&mut self.said, &own.head.fields);
        let ask = self.ask(self.is_read);
        let rules = self.rules(!is_upstreams);
        let limits = &self.local.limits;
        let mut streamed = respond::Streamed::begin(&own, &ask, &rules, self.output);
        let (mut is_read, mut trouble) = (false, None);
        if let (Some(pieces), Some(run), true) = (own.pieces.take(), &mut self.run, streamed.has_body()) {
            let (framing, is_of_upstream) = match &kept {
                Some(kept) => (kept.framing, true),
                None => (run.lent().request.body(), false),
            };
            let mut source = Source {
                input: kept.as_mut().map_or(input, |kept| &mut kept.link.input),
                // The response's head has been said.
                go_on: None,
                framing,
                allowance: if is_of_upstream {
                    u64::MAX
                } else {
                    self.route.map_or(0, |route| route.max_body_bytes)
                },
                limits,
                is_touched: if is_of_upstream { &mut false } else { &mut self.is_touched },
                is_read: if is_of_upstream { &mut is_read } else { &mut self.is_read },
            };
            let mut feed = run.feed(pieces);
            self.awaited_ns = Some(clock::precise_ns() - self.output.writer.stalled_ns);
            trouble = Self::relay_pieces(
                &mut streamed,
                &mut feed,
                &mut source,
                is_of_upstream,
                self.output,
                limits,
            )
            .await
            .err();
        }
        if trouble.is_none() {
            trouble = streamed.end(self.output, limits).await.err().map(Trouble::from);
        }
        let is_whole = trouble.is_none();
        if let Some(trouble) = trouble {
            self.output.cut();
            self.explain(&trouble);
        }
        if let Some(kept) = kept {
            self.give_back(kept, is_read && is_whole);
        }
        (status, is_whole && ask.is_kept && streamed.is_delimited())
    }

    async fn relay_pieces(
        streamed: &mut respond::Streamed,
        feed: &mut Feed<'_>,
        source: &mut Source<'_>,
        is_of_upstream: bool,
        output: &mut Output,
        limits: &Limits,
    ) -> Result<(), Trouble> {
        streamed.flush(output, limits).await?;
        while let Some(piece) = feed.next(source, is_of_upstream).await? {
            streamed.send(&piece, output, limits).await?;
        }
        Ok(())
    }
}
