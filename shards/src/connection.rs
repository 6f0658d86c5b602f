//! A client's connection: heads read one after another, each served to its end before the next, and a close that lets
//! the client read the last answer.

use crate::counters::Owner;
use crate::exchange::{self, Session};
use crate::fault::Fault;
use crate::local::Local;
use crate::outbox::Detail;
use crate::profile::Spans;
use crate::record::Line;
use crate::respond::{self, Ask, Rules};
use crate::wire::{self, Broken};
use std::net::SocketAddr;
use std::rc::Rc;
use tidegate_codec::{BodyFraming, RequestHead};
use tidegate_reactor::{Cut, Socket, clock};

/// Bytes that an answered client may still send before the connection is closed for good.
const MAX_LINGER_BYTES: usize = 1 << 20;

/// What came instead of a request.
enum End {
    /// The client left, or was idle for too long.
    Quiet,
    /// What it sent is answered and the connection closed.
    Refused(Fault),
}

/// Serves a connection until either side ends it.
pub async fn serve(local: Rc<Local>, socket: Socket, address: SocketAddr) {
    let (input, output) = wire::open(socket);
    let peer = wire::Peer { address, text: address.ip().to_canonical().to_string().into(), is_secure: false };
    let mut session =
        Session { head: RequestHead::default(), input, output, peer, memo: crate::route::Memo::default() };
    let mut is_first = true;
    loop {
        match next_head(&local, &mut session, is_first).await {
            Ok(()) => {}
            Err(End::Quiet) => return,
            Err(End::Refused(fault)) => {
                refuse(&local, &mut session, fault).await;
                return linger(&local, session).await;
            }
        }
        is_first = false;
        let is_last = has_said_all(&session.head);
        if !exchange::run(&local, &mut session).await {
            if is_last && session.input.buffer.is_empty() {
                return;
            }
            return linger(&local, session).await;
        }
        // What one large message needed is not kept for an idle connection.
        let keep = local.limits.connection_buffer_bytes;
        session.output.shrink(keep);
        session.input.shrink(keep);
    }
}

/// Whether the client announced that it sends nothing after this request, which has no body (RFC 9112 section 9.6): then
/// nothing can arrive that would reset a connection which is closed at once, and lingering would wait for nothing.
fn has_said_all(head: &RequestHead) -> bool {
    !head.keep_alive() && matches!(head.body(), BodyFraming::None | BodyFraming::Length(0))
}

/// Reads until a head is complete. Between requests a connection may be silent for the idle time-out; once a head has
/// begun, its end has a deadline that single bytes do not move.
async fn next_head(local: &Local, session: &mut Session, is_first: bool) -> Result<(), End> {
    let limits = &local.limits;
    let mut is_begun = is_first;
    let arm = |session: &Session, is_begun: bool| {
        let deadline = session.input.reader.deadline();
        if is_begun {
            deadline.arm(limits.header_timeout, Cut::Read);
        } else {
            deadline.arm(limits.idle_timeout, Cut::Idle);
        }
    };
    if !session.input.buffer.is_empty() {
        is_begun = true;
    }
    let mut is_armed = false;
    loop {
        if !session.input.buffer.is_empty() {
            let parsed = session.head.parse(&mut session.input.buffer, &limits.request_head);
            if parsed.map_err(|rule| End::Refused(Fault::Malformed(rule)))? {
                session.input.reader.deadline().disarm();
                return Ok(());
            }
        }
        if local.is_draining.get() && session.input.buffer.is_empty() {
            return Err(End::Quiet);
        }
        if !is_armed {
            arm(session, is_begun);
            is_armed = true;
        }
        let had = session.input.buffer.len();
        let room = if had == 0 { limits.connection_buffer_bytes } else { had };
        match session.input.fill(room).await {
            Ok(0) | Err(Broken::Closed) => return Err(End::Quiet),
            Err(Broken::Late) if had == 0 => return Err(End::Quiet),
            Err(Broken::Late) => return Err(End::Refused(Fault::HeaderTimeout)),
            Ok(_) if had == 0 && !is_begun => {
                is_begun = true;
                is_armed = false;
            }
            Ok(_) => {}
        }
    }
}

/// Answers what is no request.
async fn refuse(local: &Local, session: &mut Session, fault: Fault) {
    let (lender, tables) = (&local.lender, local.current.pin());
    let rules = Rules { settings: tables.settings(), is_hidden: false, is_ours: true, timing: None };
    let own = respond::answer(fault, None);
    let started = clock::precise_ns();
    lender.outbox.fault(&lender.counters, fault, None, session.peer.address.ip(), Detail::default());
    respond::send_own(&own, &Ask::unreadable(), &rules, &mut session.output, &local.limits).await;
    let duration_ns = clock::precise_ns() - started;
    lender.counters.request(Owner::default(), None, own.head.status(), duration_ns);
    let mut spans = Spans { waited_ns: session.output.take_stalled_ns(), ..Spans::default() };
    spans.settle(duration_ns);
    lender.profile.record(None, duration_ns, &spans);
    let sent_bytes = std::mem::take(&mut session.output.written_bytes);
    lender.counters.sent_bytes.add(sent_bytes);
    let received_bytes = std::mem::take(&mut session.input.read_bytes);
    lender.counters.received_bytes.add(received_bytes);
    local.records.add(&Line {
        shard: lender.outbox.shard,
        peer: &session.peer,
        head: None,
        route: None,
        status: own.head.status(),
        fault: Some(fault),
        received_bytes,
        sent_bytes,
        head_bytes: session.output.head_bytes,
        ended_ns: started + duration_ns,
        duration_ns,
        spans: &spans,
        said: None,
    });
}

/// Closes so that the last answer arrives: our end first, then what the client still sends is read and forgotten, for a
/// while. Closing at once would reset the connection and might take the answer with it (RFC 9112 section 9.6).
async fn linger(local: &Local, mut session: Session) {
    if session.output.is_cut {
        return;
    }
    if session.output.writer.finish().await.is_err() {
        return;
    }
    session.input.reader.deadline().arm(local.limits.linger_timeout, Cut::Both);
    let mut seen = 0;
    while seen < MAX_LINGER_BYTES {
        session.input.buffer.clear();
        match session.input.fill(local.limits.connection_buffer_bytes).await {
            Ok(0) | Err(_) => return,
            Ok(read) => seen += read,
        }
    }
}
