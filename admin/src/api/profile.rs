//! The latency profile over the API: what is kept of the last minute, or a dump that is measured from now on, by node,
//! shard, route, service or module. Asking for rows makes the shards keep them while somebody asks.

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::write::read;
use crate::change::{Key, Kind};
use crate::profile::{By, Merge, Profiles, Shown, Sort, Window, now_ms};
use crate::resource::Timespan;
use axum::body::Body;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tidegate_snapshot::{OTHERS, Scope};
use tokio::sync::watch;

/// What is looked back on when the query does not say.
const BACK_MS: u64 = 10_000;
/// Longest dump.
const LONGEST_MS: u64 = 3_600_000;
/// Shards keep rows for so long after the last look back.
const ASKED_MS: u64 = 10_000;
/// The same while a dump runs, which asks again all the time.
const DUMPING_MS: u64 = 5_000;
/// A dump asks again, and says how far it is, at least this often.
const AGAIN: Duration = Duration::from_secs(1);
/// A shard that tells nothing for so long beyond its interval has nothing to tell.
const LATE_MS: u64 = 500;
/// Rows of an answer that does not say how many.
const ROWS: usize = 100;
/// The shards have begun an interval within this time after they were told to.
const AT_LEAST_MS: u64 = 10;
/// Intervals that are added up before others get their turn.
const AT_ONCE: usize = 8;

/// What the query asks for.
struct Asked {
    by: By,
    for_ms: u64,
    only: Option<String>,
    shown: Shown,
    /// From now on instead of looking back.
    wait: bool,
    /// Say how far it is meanwhile.
    follow: bool,
}

fn flag(call: &Call, name: &str) -> Result<bool, Refusal> {
    match call.query(name) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(Refusal::BadRequest(format!("'{name}' must be true or false"))),
    }
}

impl Asked {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let bad = |why: String| Err(Refusal::BadRequest(why));
        let by = call.query("by").unwrap_or("node");
        let Some(by) = By::named(by) else {
            return bad("'by' must be node, shard, route, service or module".into());
        };
        let follow = flag(call, "follow")?;
        let wait = flag(call, "wait")? || follow;
        let for_ms = match call.query("for") {
            None => BACK_MS,
            Some(text) => match text.parse::<Timespan>() {
                Ok(Timespan(time)) => u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                Err(_) => return bad("'for' is not a duration: write '500ms', '30s' or '1m30s'".into()),
            },
        };
        let longest = if wait { LONGEST_MS } else { crate::profile::KEPT_MS };
        if !(100..=longest).contains(&for_ms) {
            let kept = if wait { "" } else { "; what is longer is measured from now on, with wait=true" };
            return bad(format!("'for' must be between 100ms and {}s{kept}", longest / 1_000));
        }
        let sort = call.query("sort").unwrap_or("rate");
        let Some(sort) = Sort::named(sort) else {
            return bad("'sort' must be rate, p99, tax or errors".into());
        };
        let encoded = match call.query("encoding") {
            None => false,
            Some("v2") => true,
            Some(_) => return bad("'encoding' can only be v2: HdrHistogram's, compressed, in base64".into()),
        };
        let shown =
            Shown { sort, limit: call.number("limit", ROWS)?, points: flag(call, "points")?, encoded };
        Ok(Self { by, for_ms, only: call.query("key").map(str::to_owned), shown, wait, follow })
    }

    /// A key names something that there is: otherwise nothing would be measured, for however long.
    async fn check_key(&self, call: &Call) -> Result<(), Refusal> {
        let Some(key) = &self.only else { return Ok(()) };
        let none = |what: &str| Err(Refusal::NotFound(format!("there is no {what} '{key}' here")));
        let scope = match self.by {
            By::Node => {
                let why = "'key' names a shard, route, service or module: say which with 'by'";
                return Err(Refusal::BadRequest(why.into()));
            }
            By::Shard => {
                let info = call.inner().live.runtime_info();
                let shards = info["snapshot"]["shardGenerations"].as_array().map_or(usize::MAX, Vec::len);
                let is_there = key.parse::<u16>().is_ok_and(|index| usize::from(index) < shards);
                return if is_there { Ok(()) } else { none("shard") };
            }
            By::Scope(scope) => scope,
        };
        // Those that stand for many.
        if key == OTHERS || key.is_empty() {
            return Ok(());
        }
        let kind = match scope {
            Scope::Route => Kind::Route,
            Scope::Service => Kind::Service,
            Scope::Module => Kind::Module,
        };
        let Some((namespace, name)) = key.split_once('/') else {
            let why = format!("'key' of a {} is NAMESPACE/NAME, as default/users", scope.name());
            return Err(Refusal::BadRequest(why));
        };
        let named = Key { kind, namespace: namespace.into(), collection: None, name: name.into() };
        let is_there = read(&call.state, move |_, view| Ok(view.get(&named)?.is_some())).await?;
        if is_there { Ok(()) } else { none(scope.name()) }
    }

    /// The rows as they are.
    async fn show(&self, merge: &Merge) -> Value {
        tokio::task::yield_now().await;
        merge.json(self.shown, now_ms())
    }
}

/// `GET /api/v1/profile`.
pub(crate) async fn get(call: Call) -> Result<Response, Refusal> {
    let asked = Asked::of(&call)?;
    asked.check_key(&call).await?;
    let profiles = Arc::clone(&call.inner().profiles);
    if !asked.wait {
        if let Some(scope) = asked.by.scope() {
            profiles.ask(scope, asked.only.as_deref(), asked.for_ms + ASKED_MS);
        }
        let (window, found) = profiles.book().back(asked.for_ms, now_ms());
        let mut merge = Merge::new(asked.by, asked.only.clone(), window);
        for some in found.chunks(AT_ONCE) {
            some.iter().for_each(|kept| merge.add(kept));
            tokio::task::yield_now().await;
        }
        return Ok(Answer::one(StatusCode::OK, asked.show(&merge).await).into_response());
    }
    let mut dump = Dump::new(asked, profiles);
    if !dump.asked.follow {
        while !dump.step().await {}
        return Ok(Answer::one(StatusCode::OK, dump.asked.show(&dump.merge).await).into_response());
    }
    let lines = stream::unfold(Some(dump), |dump| async move {
        let mut dump = dump?;
        let is_done = dump.step().await;
        let line = dump.line(is_done).await;
        Some((Ok::<_, Infallible>(line), (!is_done).then_some(dump)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// A dump under way. It holds what it has added up and nothing of the shards; when its client goes, it goes.
struct Dump {
    asked: Asked,
    profiles: Arc<Profiles>,
    arrivals: watch::Receiver<u64>,
    merge: Merge,
    window: Window,
    /// The newest interval that was looked at.
    seen: u64,
    /// The shards were told to end their last interval.
    is_over: bool,
}

impl Dump {
    fn new(asked: Asked, profiles: Arc<Profiles>) -> Self {
        let from_ms = now_ms();
        let (interval_ms, seen) = {
            let book = profiles.book();
            (book.interval_ms(), book.after(u64::MAX).0)
        };
        let window = Window { from_ms, to_ms: from_ms.saturating_add(asked.for_ms), interval_ms };
        let merge = Merge::new(asked.by, asked.only.clone(), window);
        let arrivals = profiles.arrivals();
        let dump = Self { asked, profiles, arrivals, merge, window, seen, is_over: false };
        dump.renew();
        // What was counted before is told of alone, so that this begins now and not with a shard's next interval.
        dump.profiles.cut();
        dump
    }

    /// Keeps the shards keeping rows.
    fn renew(&self) {
        if let Some(scope) = self.asked.by.scope() {
            self.profiles.ask(scope, self.asked.only.as_deref(), DUMPING_MS);
        }
    }

    /// Waits for what comes, for a moment, and adds it; `true` at the end. Intervals that lie within the window
    /// count: shards begin one when it begins and when it ends.
    async fn step(&mut self) -> bool {
        let left = Duration::from_millis(self.window.to_ms.saturating_sub(now_ms()).max(AT_LEAST_MS));
        // Nobody else ends the sender while the profiles are held.
        let _ = tokio::time::timeout(left.min(AGAIN), self.arrivals.changed()).await;
        let (newest, found) = self.profiles.book().after(self.seen);
        self.seen = newest;
        for kept in &found {
            if kept.is_of(self.window) {
                self.merge.add(kept);
            }
        }
        let now = now_ms();
        let over = now >= self.window.to_ms;
        if !over {
            self.renew();
        } else if !self.is_over {
            self.is_over = true;
            self.profiles.cut();
        }
        let all_told = |dump: &Self| {
            dump.profiles
                .book()
                .newest_told()
                .all(|kept| kept.ended_after(dump.window) && dump.merge.knows(kept))
        };
        over && (all_told(self) || now >= self.window.to_ms + self.window.interval_ms + LATE_MS)
    }

    /// A line for whoever follows.
    async fn line(&self, is_done: bool) -> String {
        let line = if is_done {
            json!({ "kind": "profile", "data": self.asked.show(&self.merge).await })
        } else {
            let so_far = now_ms().saturating_sub(self.window.from_ms).min(self.asked.for_ms);
            json!({ "kind": "progress", "seconds": so_far as f64 / 1_000.0,
                "of": self.asked.for_ms as f64 / 1_000.0, "count": self.merge.count() })
        };
        format!("{line}\n")
    }
}
