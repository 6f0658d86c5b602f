//! What a module exports to be run by itself: reads `scheduled`, in its three forms, and calls it. Which times its
//! expressions mean, and when it is time, is the control plane's business; nothing here may know a clock.

use rquickjs::function::This;
use rquickjs::{Ctx, Function as JsFunction, Object, Persistent, Value, qjs};

use crate::native::Text;

/// Most jobs of one module.
const MAX_JOBS: usize = 16;
/// Longest expression or name of a time zone, bytes.
const MAX_TEXT: usize = 200;

/// Who runs a job when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Per {
    /// Every node.
    #[default]
    Node,
    /// One node of the cluster.
    Cluster,
}

impl Per {
    /// The word a module writes.
    pub fn name(self) -> &'static str {
        match self {
            Per::Node => "node",
            Per::Cluster => "cluster",
        }
    }
}

/// One job as a module describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Where it stands in the module, for messages: `scheduled`, `scheduled[1]` or `schedule`.
    pub path: String,
    /// When it is due, as written: five fields, or a word that begins with `@`.
    pub cron: String,
    /// The time zone of the fields, by its IANA name.
    pub timezone: Option<String>,
    /// Who runs it.
    pub per: Per,
}

/// One run of a job, as the module is told.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRun {
    /// Id of the run.
    pub id: String,
    /// When it was due, milliseconds since the epoch.
    pub scheduled_at_ms: f64,
}

/// A job with what it runs.
pub(crate) struct Bound {
    pub(crate) job: Job,
    run: Persistent<JsFunction<'static>>,
    this: Persistent<Value<'static>>,
}

/// Why the jobs of a module cannot be read.
pub(crate) enum Wrong {
    /// They are of another form: a sentence.
    Shape(String),
    /// A getter threw, or the engine failed.
    Engine(rquickjs::Error),
}

impl From<rquickjs::Error> for Wrong {
    fn from(e: rquickjs::Error) -> Self {
        Wrong::Engine(e)
    }
}

fn shape<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Shape(why.into()))
}

/// What the entry exports as `scheduled`, by name or in its default object. Runs user code: only within a slice.
pub(crate) fn read<'js>(ctx: &Ctx<'js>, entry: &Object<'js>) -> Result<Vec<Bound>, Wrong> {
    let default: Value = entry.get("default")?;
    let default = default.as_object().filter(|_| !default.is_function());
    let mut holder = entry;
    let mut found: Value = entry.get("scheduled")?;
    if found.is_undefined()
        && let Some(object) = default
    {
        (holder, found) = (object, object.get("scheduled")?);
    }
    if found.is_undefined() {
        return Ok(Vec::new());
    }
    if let Some(run) = found.as_function() {
        let schedule: Value = holder.get("schedule")?;
        let Some(cron) = text(ctx, &schedule)? else {
            return shape(
                "scheduled is a function, so schedule must be exported beside it: a string like '@daily'",
            );
        };
        let this = if holder.as_value() == entry.as_value() {
            Value::new_undefined(ctx.clone())
        } else {
            holder.as_value().clone()
        };
        let job = Job { path: "schedule".into(), cron, timezone: None, per: Per::default() };
        return Ok(vec![bind(ctx, job, run, this)]);
    }
    if let Some(list) = found.as_array() {
        if list.len() > MAX_JOBS {
            return shape(format!("scheduled has {} jobs, and at most {MAX_JOBS} are allowed", list.len()));
        }
        return (0..list.len()).map(|at| one(ctx, &list.get(at)?, format!("scheduled[{at}]"))).collect();
    }
    Ok(vec![one(ctx, &found, "scheduled".into())?])
}

fn one<'js>(ctx: &Ctx<'js>, value: &Value<'js>, path: String) -> Result<Bound, Wrong> {
    let Some(object) = value.as_object().filter(|_| !value.is_function() && !value.is_array()) else {
        return shape(format!(
            "{path} must be an object like {{ cron: \"@every 1m\", run: (event) => {{ … }} }}"
        ));
    };
    for key in object.keys::<String>() {
        let key = key?;
        if !["cron", "per", "timezone", "run"].contains(&&*key) {
            return shape(format!("{path}.{key} is unknown: a job has cron, per, timezone and run"));
        }
    }
    let get = |key: &str| object.get::<_, Value>(key);
    let Some(cron) = text(ctx, &get("cron")?)? else {
        return shape(format!("{path}.cron must be a string like '@every 1m' or '0 3 * * *'"));
    };
    let timezone = get("timezone")?;
    let timezone = match text(ctx, &timezone)? {
        Some(name) => Some(name),
        None if timezone.is_undefined() => None,
        None => return shape(format!("{path}.timezone must be a string like 'Europe/Berlin'")),
    };
    let per = get("per")?;
    let per = match (text(ctx, &per)?.as_deref(), per.is_undefined()) {
        (None, true) => Per::default(),
        (Some("node"), _) => Per::Node,
        (Some("cluster"), _) => Per::Cluster,
        _ => return shape(format!("{path}.per must be 'node' or 'cluster'")),
    };
    let run = get("run")?;
    match run.as_function() {
        Some(run) => Ok(bind(ctx, Job { path, cron, timezone, per }, run, value.clone())),
        None => shape(format!("{path}.run must be a function")),
    }
}

fn bind<'js>(ctx: &Ctx<'js>, job: Job, run: &JsFunction<'js>, this: Value<'js>) -> Bound {
    Bound { job, run: Persistent::save(ctx, run.clone()), this: Persistent::save(ctx, this) }
}

/// The text of a string that is not too long.
fn text<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Option<String>, Wrong> {
    if !value.is_string() {
        return Ok(None);
    }
    let Text(text) = rquickjs::FromJs::from_js(ctx, value.clone())?;
    match text.len() {
        0..=MAX_TEXT => Ok(Some(text)),
        long => shape(format!("a text of scheduled has {long} bytes, and at most {MAX_TEXT} are allowed")),
    }
}

impl Bound {
    /// Calls it with its event: `cron`, `scheduledAt` and `id`.
    pub(crate) fn call<'js>(&self, ctx: &Ctx<'js>, run: &JobRun) -> rquickjs::Result<Value<'js>> {
        let event = Object::new(ctx.clone())?;
        event.set("cron", &*self.job.cron)?;
        event.set("scheduledAt", date(ctx, run.scheduled_at_ms)?)?;
        event.set("id", &*run.id)?;
        self.run.clone().restore(ctx)?.call((This(self.this.clone().restore(ctx)?), event))
    }
}

/// A `Date`, whatever the module has made of the global of that name.
fn date<'js>(ctx: &Ctx<'js>, ms: f64) -> rquickjs::Result<Value<'js>> {
    // SAFETY: a live context; the value comes back owned, or as an exception that `from_raw`'s caller sees below.
    let value = unsafe { Value::from_raw(ctx.clone(), qjs::JS_NewDate(ctx.as_raw().as_ptr(), ms)) };
    if value.is_exception() { Err(rquickjs::Error::Exception) } else { Ok(value) }
}
