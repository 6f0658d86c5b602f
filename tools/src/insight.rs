//! `tidegate module logs`, `stats`, `schedule` and `trigger`: their words, flags and requests. All take words as every
//! other action does (`NAME`, `key=value`) and flags beside them. Pure: what is asked is built here, and sent elsewhere.

use crate::failure::Failure;
use crate::field::{Field, FieldType, Kind};
use crate::options::Options;
use crate::properties;
use crate::request::{self, Request};
use clap::{Arg, ArgMatches, Args as _, Command};
use serde_json::{Map, Value};

/// What can be seen of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insight {
    Logs,
    Stats,
    Schedule,
    Trigger,
}

/// Flag, short form, name of its value, help.
type Flag = (&'static str, Option<char>, &'static str, &'static str);

const NAMESPACE: Flag = ("namespace", Some('n'), "NAME", "The same as namespace=NAME");
const INDEX: Flag =
    ("index", None, "NUMBER", "Which of its jobs, as the schedule numbers them; 0 without it");
const LOG_FLAGS: [Flag; 3] = [
    ("level", None, "LEVEL", "The least loud that is shown: debug, info, warn or error"),
    ("limit", None, "NUMBER", "At most so many, the newest; 100 without it"),
    ("since", None, "SEQ", "Only what came after the entry with this number"),
];

impl Insight {
    pub(crate) const ALL: [Self; 4] = [Self::Logs, Self::Stats, Self::Schedule, Self::Trigger];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Stats => "stats",
            Self::Schedule => "schedule",
            Self::Trigger => "trigger",
        }
    }

    fn flags(self) -> Vec<Flag> {
        match self {
            Self::Logs => [&[NAMESPACE][..], &LOG_FLAGS].concat(),
            Self::Stats | Self::Schedule => vec![NAMESPACE],
            Self::Trigger => vec![NAMESPACE, INDEX],
        }
    }

    /// The keys its words may have.
    fn fields(self, kind: &Kind) -> Vec<Field> {
        let mut fields: Vec<Field> =
            kind.fields.iter().filter(|field| ["name", "namespace"].contains(&field.key)).copied().collect();
        if self == Self::Logs {
            let levels = FieldType::Choice(&["debug", "info", "warn", "error"]);
            fields.push(Field::new("level", levels, "the least loud", "level=warn"));
            fields.push(Field::new("limit", FieldType::Integer, "at most so many", "limit=10"));
            fields.push(Field::new("since", FieldType::Integer, "after this number", "since=17"));
            fields.push(Field::new("follow", FieldType::Boolean, "go on with what comes", "follow=true"));
        }
        if self == Self::Trigger {
            fields.push(Field::new("index", FieldType::Integer, "which of its jobs", "index=1"));
        }
        fields
    }

    /// The subcommand.
    pub(crate) fn command(self) -> Command {
        let (about, example) = match self {
            Self::Logs => (
                "Shows what a module said and how it failed, on this node",
                "tidegate module logs checkout -f --level warn",
            ),
            Self::Stats => (
                "Shows calls, errors and times of a module's functions, its memory and limits, on this node",
                "tidegate module stats checkout -o json",
            ),
            Self::Schedule => (
                "Shows when this node runs what a module exports as 'scheduled', and how it went last",
                "tidegate module schedule checkout",
            ),
            Self::Trigger => (
                "Runs what a module exports as 'scheduled' now, on this node, and waits for its end",
                "tidegate module trigger checkout --index 1",
            ),
        };
        let words = Arg::new("words").num_args(0..).value_name("NAME|KEY=VALUE").help("The module, and keys");
        let mut leaf =
            Command::new(self.name()).about(about).after_help(format!("Example:\n  {example}")).arg(words);
        for (flag, short, value, help) in self.flags() {
            let arg = Arg::new(flag).long(flag).value_name(value).help(help);
            leaf = leaf.arg(match short {
                Some(short) => arg.short(short),
                None => arg,
            });
        }
        let leaf = Options::augment_args(leaf);
        match self {
            // A log is read where it is: there is no leader to be redirected to, so the flag has its other meaning.
            Self::Logs => leaf.mut_arg("follow", |arg| {
                arg.help("Go on with what comes, until Ctrl-C").help_heading(None::<&str>)
            }),
            Self::Stats | Self::Schedule | Self::Trigger => leaf,
        }
    }

    /// The words that its flags mean.
    pub(crate) fn words(self, matches: &mut ArgMatches) -> Vec<String> {
        let mut words: Vec<String> =
            matches.remove_many("words").map(|words| words.collect()).unwrap_or_default();
        for (flag, ..) in self.flags() {
            if let Some(value) = matches.remove_one::<String>(flag) {
                words.push(format!("{flag}={value}"));
            }
        }
        if self == Self::Logs && matches.get_flag("follow") {
            words.push("follow=true".into());
        }
        words
    }
}

/// What a command asks.
#[derive(Debug)]
pub(crate) struct Asked {
    kind: &'static Kind,
    insight: Insight,
    properties: Map<String, Value>,
    /// Whether to go on with what comes.
    pub(crate) follow: bool,
}

impl Asked {
    /// From a command's words.
    pub(crate) fn of(kind: &'static Kind, insight: Insight, words: &[String]) -> Result<Self, Failure> {
        let fields = insight.fields(kind);
        let mut properties = properties::parse(kind, &fields, words)?;
        properties::require(kind, insight.name(), &fields[..1], &properties)?;
        let follow = properties.remove("follow") == Some(Value::Bool(true));
        Ok(Self { kind, insight, properties, follow })
    }

    /// The request, from an entry on where one is known.
    pub(crate) fn request(&self, since: Option<u64>) -> Result<Request, Failure> {
        let mut query = self.properties.clone();
        let mut part = |name: &str| query.remove(name).and_then(|value| value.as_str().map(str::to_owned));
        let (name, namespace) = (part("name").unwrap_or_default(), part("namespace"));
        let namespace = namespace.unwrap_or_else(|| "default".into());
        if self.follow {
            query.insert("follow".into(), true.into());
        }
        if let Some(since) = since {
            query.insert("since".into(), since.into());
            // How many were wanted at first says nothing of what came since.
            query.remove("limit");
        }
        let (kind, insight) = (self.kind.name, self.insight.name());
        let path = format!("/api/v1/{kind}/{}/{}", request::segment(&namespace)?, request::segment(&name)?);
        if self.insight == Insight::Trigger {
            let target = format!("{path}/run{}", request::query(&query));
            let request = Request::get(&target, "run", &format!("{kind} {namespace}/{name}"));
            return Ok(Request { method: "POST", ..request });
        }
        let what = format!("the {insight} of {kind} {namespace}/{name}");
        Ok(Request::get(&format!("{path}/{insight}{}", request::query(&query)), "show", &what))
    }
}
