//! The command line of the client, built from the table of kinds. [`Client`] is a clap subcommand enum in all but
//! name: the binary flattens it beside its own commands. Nothing is checked here that needs the table's types.

use crate::field::Kind;
use crate::help;
use crate::insight::Insight;
use crate::kinds::KINDS;
use crate::options::Options;
use crate::profile;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Subcommand};

/// A client command as it was typed. Flatten it into the top level's subcommands:
///
/// ```
/// #[derive(clap::Parser)]
/// #[command(name = "tidegate", disable_version_flag = true)]
/// struct Cli {
///     #[command(flatten)]
///     options: tidegate_ctl::Options,
///     #[command(subcommand)]
///     command: Top,
/// }
///
/// #[derive(clap::Subcommand)]
/// enum Top {
///     /// Runs the gateway
///     Serve,
///     #[command(flatten)]
///     Client(tidegate_ctl::Client),
/// }
///
/// let cli = <Cli as clap::Parser>::parse_from(["tidegate", "-f", "route", "list", "-n", "shop"]);
/// assert!(cli.options.follow && matches!(cli.command, Top::Client(_)));
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) options: Options,
    pub(crate) task: Task,
}

#[derive(Debug, Clone)]
pub(crate) enum Task {
    Resource { kind: &'static Kind, action: Action, words: Vec<String>, all: bool },
    Insight { kind: &'static Kind, insight: Insight, words: Vec<String> },
    Status,
    Changelog,
    ClusterStatus,
    ClusterMembers,
    Top(Box<profile::Top>),
    Profile(Box<profile::Dump>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Delete,
    List,
    Get,
}

impl Action {
    pub(crate) const ALL: [(Self, &'static str, Option<&'static str>); 4] = [
        (Self::Create, "create", Some("mk")),
        (Self::Delete, "delete", Some("rm")),
        (Self::List, "list", Some("ls")),
        (Self::Get, "get", None),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(action, ..)| *action == self).map_or("", |(_, name, _)| name)
    }
}

impl Subcommand for Client {
    fn augment_subcommands(mut top: Command) -> Command {
        for kind in KINDS {
            top = top.subcommand(resource(kind));
        }
        top.subcommands(profile::subcommands())
            .subcommand(leaf("status", "Whether the node is healthy and ready, its revision and its shards"))
            .subcommand(leaf(
                "changelog",
                "The latest changes, newest first: what was touched, never a value",
            ))
            .subcommand(
                Command::new("cluster")
                    .about("The Raft cluster behind the admin API")
                    .subcommand_required(true)
                    .arg_required_else_help(true)
                    .subcommand(leaf("status", "State of the cluster as this node sees it"))
                    .subcommand(leaf("members", "The nodes and their addresses")),
            )
    }

    fn augment_subcommands_for_update(top: Command) -> Command {
        Self::augment_subcommands(top)
    }

    fn has_subcommand(name: &str) -> bool {
        ["status", "changelog", "cluster"].contains(&name)
            || profile::is_command(name)
            || KINDS.iter().any(|kind| kind.name == name)
    }
}

impl FromArgMatches for Client {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, mut below) = matches.remove_subcommand().ok_or_else(missing)?;
        let task = match name.as_str() {
            "status" => Task::Status,
            "changelog" => Task::Changelog,
            name if profile::is_command(name) => profile::task(name, &mut below)?,
            "cluster" => {
                let (name, inner) = below.remove_subcommand().ok_or_else(missing)?;
                below = inner;
                if name == "members" { Task::ClusterMembers } else { Task::ClusterStatus }
            }
            _ => {
                let kind = KINDS.iter().find(|kind| kind.name == name).ok_or_else(missing)?;
                let (name, inner) = below.remove_subcommand().ok_or_else(missing)?;
                below = inner;
                if let Some(insight) = insights(kind).find(|insight| insight.name() == name) {
                    let words = insight.words(&mut below);
                    let task = Task::Insight { kind, insight, words };
                    return Ok(Self { options: Options::from_arg_matches_mut(&mut below)?, task });
                }
                let action = Action::ALL.iter().find(|(_, known, _)| *known == name).ok_or_else(missing)?.0;
                resource_task(kind, action, &mut below)
            }
        };
        Ok(Self { options: Options::from_arg_matches_mut(&mut below)?, task })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What can be seen of a kind besides its resources.
fn insights(kind: &Kind) -> impl Iterator<Item = Insight> + use<> {
    let has_any = kind.name == "module";
    Insight::ALL.into_iter().filter(move |_| has_any)
}

/// Version 2's flags become the words that version 1 would have used.
fn resource_task(kind: &'static Kind, action: Action, matches: &mut ArgMatches) -> Task {
    let mut words: Vec<String> =
        matches.remove_many("words").map(|words| words.collect()).unwrap_or_default();
    for (flag, _, _) in flags(kind, action) {
        if let Some(value) = matches.remove_one::<String>(flag) {
            words.push(format!("{flag}={value}"));
        }
    }
    let all = deletes_all(kind, action) && matches.get_flag("all");
    Task::Resource { kind, action, words, all }
}

fn deletes_all(kind: &Kind, action: Action) -> bool {
    kind.collected() && action == Action::Delete
}

/// Flags that version 2 has for keys: key, short form, help.
fn flags(kind: &Kind, action: Action) -> Vec<(&'static str, Option<char>, &'static str)> {
    let mut flags = Vec::new();
    if kind.namespaced() {
        flags.push(("namespace", Some('n'), "The same as namespace=NAME"));
    }
    if kind.collected() {
        flags.push(("collection", Some('c'), "The same as collection=NAME"));
        if action == Action::List {
            flags.push(("limit", None, "At most so many, the same as limit=NUMBER"));
            flags.push(("offset", None, "Leave out the first ones, the same as offset=NUMBER"));
        }
    }
    flags
}

fn resource(kind: &'static Kind) -> Command {
    let mut command = Command::new(kind.name)
        .visible_alias(kind.alias)
        .about(kind.doc)
        .subcommand_required(true)
        .arg_required_else_help(true);
    for (action, name, alias) in Action::ALL {
        let about = match action {
            Action::Create => format!("Creates or replaces a {}", kind.name),
            Action::Delete => format!("Deletes a {}", kind.name),
            Action::List => format!("Lists every {}", kind.name),
            Action::Get => format!("Shows one {}", kind.name),
        };
        let words = Arg::new("words")
            .num_args(0..)
            .value_name(if action == Action::List { "KEY=VALUE" } else { "NAME|KEY=VALUE" })
            .help("key=value, key:=json, key:=@file (JSON), key@=file (base64)");
        let mut leaf = Command::new(name)
            .about(about)
            .after_help(help::keys(kind, action))
            .arg(words)
            .visible_aliases(alias);
        for (flag, short, help) in flags(kind, action) {
            let arg = Arg::new(flag)
                .long(flag)
                .value_name(if short.is_some() { "NAME" } else { "NUMBER" })
                .help(help);
            leaf = leaf.arg(match short {
                Some(short) => arg.short(short),
                None => arg,
            });
        }
        if deletes_all(kind, action) {
            leaf = leaf.arg(
                Arg::new("all")
                    .long("all")
                    .action(ArgAction::SetTrue)
                    .help("Every document of the collection"),
            );
        }
        command = command.subcommand(Options::augment_args(leaf));
    }
    insights(kind).fold(command, |command, insight| command.subcommand(insight.command()))
}

fn leaf(name: &'static str, about: &'static str) -> Command {
    Options::augment_args(Command::new(name).about(about))
}
