//! Accepting: one listener per shard, each connection a task of its own, within the shard's bound. A panic in one of
//! them ends that connection, is counted, and nobody else notices.

use crate::connection;
use crate::fault::Fault;
use crate::local::Local;
use crate::outbox::Detail;
use crate::respond::{self, Ask, Rules};
use crate::wire;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tidegate_reactor::{Listener, Socket, sleep, spawn, spawn_guarded};

/// Pause after an accept that failed for want of descriptors or memory.
const BREATHER: Duration = Duration::from_millis(50);

/// Counts a connection for as long as it lives, also through a panic.
struct Present(Rc<Local>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.lender.counters.connections.sub(1);
    }
}

/// Accepts for ever.
pub async fn run(local: Rc<Local>, mut listener: Listener) {
    loop {
        match listener.accept().await {
            Ok((socket, address)) => admit(&local, socket, address),
            Err(error) => {
                let lender = &local.lender;
                lender.counters.fault("accept_failed");
                lender.outbox.warn(&lender.counters, "accept_failed", error.to_string());
                sleep(BREATHER).await;
            }
        }
    }
}

fn admit(local: &Rc<Local>, socket: Socket, address: SocketAddr) {
    let counters = &local.lender.counters;
    counters.accepted.add(1);
    if counters.connections.get() >= local.limits.max_connections as u64 {
        spawn(turn_away(local.clone(), socket, address));
        return;
    }
    counters.connections.add(1);
    let (present, noticed) = (Present(local.clone()), local.clone());
    let task = {
        let local = local.clone();
        async move {
            connection::serve(local, socket, address).await;
            drop(present);
        }
    };
    spawn_guarded(task, move |panic| {
        let lender = &noticed.lender;
        let detail = Detail { text: panic, ..Detail::default() };
        lender.outbox.fault(&lender.counters, Fault::Panicked, None, address.ip(), detail);
    });
}

/// One connection too many: told so, and closed.
async fn turn_away(local: Rc<Local>, socket: Socket, address: SocketAddr) {
    let (lender, tables) = (&local.lender, local.current.pin());
    lender.outbox.fault(&lender.counters, Fault::TooManyConnections, None, address.ip(), Detail::default());
    let rules = Rules { settings: tables.settings(), is_hidden: false, is_ours: true, timing: None };
    let own = respond::answer(Fault::TooManyConnections, None);
    let (_input, mut output) = wire::open(socket);
    respond::send_own(&own, &Ask::unreadable(), &rules, &mut output, &local.limits).await;
}
