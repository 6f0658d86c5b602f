//! Host names of endpoints to addresses, off the shards and in the background: a shard never waits for a name. Literal
//! addresses do not come here. The system's resolver is asked on threads of its own, and a dead one costs nothing but
//! the freshness of the answers.

mod table;

pub(crate) use table::{Answers, Pace};
use table::{Effect, Table};

use crate::compile::Addresses;
use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};

/// Look-ups under way at once.
const AT_ONCE: usize = 16;
/// The same for names that modules ask for, which must not keep the endpoints' own from being refreshed.
const ASKED_AT_ONCE: usize = 64;
/// How long such a look-up may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// A look-up: the addresses in the resolver's order, or why there are none.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, String>> + Send>>;
/// Asks for the addresses of a host.
pub(crate) type Lookup = Arc<dyn Fn(String) -> Answer + Send + Sync>;

/// The system's resolver (getaddrinfo, which knows no lifetimes).
pub(crate) fn system() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await.map_err(|e| e.to_string())?;
            Ok(found.map(|address: SocketAddr| address.ip()).collect())
        })
    })
}

/// The resolver's face: which names are wanted, and what they are. Clones are the same resolver.
#[derive(Clone)]
pub(crate) struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    /// Only the control plane's threads meet here, and nobody holds it across a look-up.
    table: Mutex<Table>,
    /// Made again when an answer changed.
    latest: Mutex<Arc<Answers>>,
    lookup: Lookup,
    /// More is wanted, or a look-up has ended.
    stirred: Notify,
    /// The version of the answers.
    changed: watch::Sender<u64>,
    /// A look-up has ended.
    ended: Notify,
    room: Semaphore,
    asked: Semaphore,
}

impl Resolver {
    /// A resolver that nobody asked for anything. [`Resolver::run`] makes it work.
    pub(crate) fn new(lookup: Lookup, pace: Pace) -> Self {
        Self {
            shared: Arc::new(Shared {
                table: Mutex::new(Table::new(pace)),
                latest: Mutex::default(),
                lookup,
                stirred: Notify::new(),
                changed: watch::Sender::new(0),
                ended: Notify::new(),
                room: Semaphore::new(AT_ONCE),
                asked: Semaphore::new(ASKED_AT_ONCE),
            }),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on exactly these names are kept resolved.
    pub(crate) fn want(&self, names: &BTreeSet<String>) {
        self.table().want(names, Instant::now());
        self.shared.stirred.notify_one();
    }

    /// Waits until each wanted name was answered once, well or badly. The caller bounds it.
    pub(crate) async fn settled(&self) {
        loop {
            let ended = self.shared.ended.notified();
            if !self.table().has_unasked() {
                return;
            }
            ended.await;
        }
    }

    /// Tells when a name leads elsewhere.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// The addresses as they are now.
    pub(crate) fn answers(&self) -> Arc<Answers> {
        let table = self.table();
        let mut latest = self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.version() != table.version() {
            *latest = Arc::new(table.answers());
        }
        latest.clone()
    }

    /// The addresses of a host that nobody wants kept: at least one, or a sentence. Waits for a bounded time.
    pub(crate) async fn ask(&self, host: String) -> Result<Vec<IpAddr>, String> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        let known = self.answers().of(&host).to_vec();
        if !known.is_empty() {
            return Ok(known);
        }
        let Ok(_room) = self.shared.asked.try_acquire() else {
            return Err("too many names are being resolved: try again".into());
        };
        let found = tokio::time::timeout(ASK_WITHIN, (self.shared.lookup)(host)).await;
        match found {
            Err(_) => Err(format!("the resolver did not answer within {} s", ASK_WITHIN.as_secs())),
            Ok(Ok(found)) if found.is_empty() => Err("the name has no addresses".into()),
            Ok(found) => found,
        }
    }

    /// Looks up what is due, for as long as it is polled.
    pub(crate) async fn run(self) {
        loop {
            let due = self.table().due(Instant::now());
            for name in due {
                tokio::spawn(self.clone().look_up(name));
            }
            let next = self.table().next();
            let pause = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.shared.stirred.notified() => {}
            }
        }
    }

    async fn look_up(self, name: String) {
        // The semaphore is never closed.
        let _room = self.shared.room.acquire().await;
        let answer = (self.shared.lookup)(name.clone()).await;
        let why = answer.as_ref().err().cloned().unwrap_or_else(|| "no addresses".into());
        let (effect, version) = {
            let mut table = self.table();
            (table.answer(&name, answer.ok(), Instant::now()), table.version())
        };
        match effect {
            Effect::Same => {}
            Effect::Changed => tracing::debug!(name, "a name of an endpoint leads elsewhere now"),
            Effect::Kept => {
                tracing::warn!(name, why, "a name cannot be resolved: its last addresses are used")
            }
            Effect::Lost => {
                tracing::warn!(name, why, "a name cannot be resolved: its endpoints cannot be called")
            }
        }
        self.shared.changed.send_if_modified(|known| std::mem::replace(known, version) != version);
        self.shared.ended.notify_waiters();
        self.shared.stirred.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(answers: &'static [(&'static str, &'static str)]) -> Lookup {
        Arc::new(move |host| {
            let found = answers.iter().find(|(name, _)| *name == host).map(|(_, ip)| ip.parse().expect("ip"));
            Box::pin(async move { found.map(|ip| vec![ip]).ok_or_else(|| "no such host".into()) })
        })
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn in_tokio<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(work)
    }

    #[test]
    fn wanted_names_settle_well_or_badly() {
        in_tokio(async {
            let resolver = Resolver::new(fixed(&[("a", "10.0.0.1")]), Pace::default());
            let changes = resolver.changes();
            tokio::spawn(resolver.clone().run());
            resolver.want(&names(&["a", "nowhere"]));
            resolver.settled().await;
            let known = resolver.answers();
            assert_eq!(known.of("a"), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
            assert!(known.of("nowhere").is_empty());
            assert!(changes.has_changed().expect("the resolver lives"));
        });
    }

    #[test]
    fn a_resolver_that_never_answers_holds_up_only_who_waits() {
        in_tokio(async {
            let never: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
            let resolver = Resolver::new(never, Pace::default());
            tokio::spawn(resolver.clone().run());
            resolver.want(&names(&["a"]));
            let waited = tokio::time::timeout(std::time::Duration::from_millis(20), resolver.settled()).await;
            assert!(waited.is_err());
            assert!(resolver.answers().of("a").is_empty());
        });
    }

    #[test]
    fn single_questions() {
        in_tokio(async {
            let resolver = Resolver::new(fixed(&[("a", "10.0.0.1")]), Pace::default());
            for (host, expected) in [("a", Some("10.0.0.1")), ("::1", Some("::1")), ("nowhere", None)] {
                let found = resolver.ask(host.into()).await.ok();
                assert_eq!(found, expected.map(|ip| vec![ip.parse().unwrap()]), "{host}");
            }
        });
    }

    #[test]
    fn the_systems_resolver_knows_this_machine() {
        let found = in_tokio(system()("localhost".into())).expect("localhost resolves");
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
    }
}
