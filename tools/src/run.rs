//! Runs a client command: settings, request, answer, output, exit code. The only place that knows the process's
//! streams and environment; everything below it gets them handed in.

use crate::answer;
use crate::command::{Action, Client, Task};
use crate::failure::{Exit, Failure};
use crate::insight::{Asked, Insight};
use crate::log_lines;
use crate::options::{Options, Output, Settings};
use crate::output;
use crate::profile;
use crate::request::{self, Request};
use crate::schedule;
use crate::stats;
use crate::status;
use crate::table::Style;
use crate::terminal;
use crate::wire::Wire;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Runs a command with the flags that stood before it, prints what it gave, and answers the process's exit code.
pub fn run(options: &Options, client: Client) -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    let plain = env("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = |terminal: bool| terminal && !plain;
    let mut world = World {
        env: &env,
        out: &mut output::Output,
        err: &mut io::stderr(),
        style: Style { width: terminal::columns(), color: color(io::stdout().is_terminal()) },
        err_color: color(io::stderr().is_terminal()),
        password: &terminal::ask,
        progress: io::stderr().is_terminal(),
    };
    ExitCode::from(execute(options, client, &mut world))
}

/// What a command sees of the process.
pub(crate) struct World<'a> {
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) out: &'a mut dyn Write,
    pub(crate) err: &'a mut dyn Write,
    pub(crate) style: Style,
    pub(crate) err_color: bool,
    pub(crate) password: &'a dyn Fn(&str) -> io::Result<String>,
    /// Whether somebody sees how far a long command is.
    pub(crate) progress: bool,
}

/// Runs a command in a world; the exit code.
pub(crate) fn execute(options: &Options, client: Client, world: &mut World<'_>) -> u8 {
    match attempt(options, client, world) {
        Ok(Report { text, note, ok }) => {
            // What cannot be written is judged where the process ends.
            let _ = world.err.write_all(note.as_bytes());
            let _ = world.out.write_all(text.as_bytes()).and_then(|()| world.out.flush());
            if ok { 0 } else { Exit::Refused as u8 }
        }
        Err(failure) => {
            let _ = world.err.write_all(failure.text(world.err_color).as_bytes());
            failure.exit as u8
        }
    }
}

/// What a command has to say.
struct Report {
    text: String,
    /// For the error stream: what is not data.
    note: String,
    ok: bool,
}

/// One line of the process's own error stream that says how far a command is, and goes with it.
struct Progress {
    is_seen: bool,
}

impl Progress {
    fn new(is_seen: bool) -> Self {
        Self { is_seen }
    }

    fn say(&mut self, text: &str) {
        if self.is_seen {
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.say("");
    }
}

fn attempt(options: &Options, client: Client, world: &mut World<'_>) -> Result<Report, Failure> {
    let settings = client.options.over(options).resolve(world.env)?;
    // The command line is judged before anybody is asked for a password.
    let asked = match &client.task {
        Task::Insight { kind, insight, words } => Some(Asked::of(kind, *insight, words)?),
        _ => None,
    };
    let request = match &client.task {
        Task::Resource { kind, action, words, all } => Some(request::build(kind, *action, words, *all)?),
        Task::Insight { .. } => asked.as_ref().map(|asked| asked.request(None)).transpose()?,
        Task::Status | Task::Profile(_) => None,
        Task::Top(top) => {
            top.check()?;
            None
        }
        Task::Changelog => Some(Request::get("/api/v1/changelog", "show", "the change log")),
        Task::ClusterStatus => Some(Request::get("/api/v1/cluster/status", "show", "the cluster's status")),
        Task::ClusterMembers => {
            Some(Request::get("/api/v1/cluster/members", "list", "the cluster's members"))
        }
    };
    let credentials = credentials(&settings, world.password)?;
    let trace: Option<&mut dyn Write> = if settings.verbose { Some(&mut *world.err) } else { None };
    let mut wire = Wire::new(settings.admin, credentials.as_deref(), settings.follow, trace);
    let (output, style) = (settings.output, world.style);
    match &client.task {
        Task::Top(top) => {
            profile::top(&mut wire, top, (output, style), world.out)?;
            return Ok(Report { text: String::new(), note: String::new(), ok: true });
        }
        Task::Profile(dump) => {
            let mut progress = Progress::new(world.progress);
            let (text, note) =
                profile::dump(&mut wire, dump, (output, style), &mut |said| progress.say(said))?;
            drop(progress);
            return Ok(Report { text, note, ok: true });
        }
        _ => {}
    }
    let Some(request) = request else {
        let status::Status { data, ready } = status::ask(&mut wire)?;
        return Ok(Report { text: answer::text(None, &data, output, style), note: String::new(), ok: ready });
    };
    if let Some(asked) = asked.filter(|asked| asked.follow) {
        log_lines::follow(&mut wire, &asked, (output, style), world.out)?;
        return Ok(Report { text: String::new(), note: String::new(), ok: true });
    }
    let data = answer::data(wire.send(&request)?, &request)?;
    let (text, note) = match client.task {
        Task::Resource { kind, action: Action::Create, .. } => {
            let one = answer::only(kind, data, &request.name);
            (answer::text(Some(kind), &one, output, style), format!("{} created\n", request.what))
        }
        // What was deleted is gone; version 1 prints nothing either.
        Task::Resource { action: Action::Delete, .. } => {
            (String::new(), format!("{} deleted\n", request.what))
        }
        Task::Insight { insight: Insight::Logs, .. } => {
            let empty = data.as_array().is_some_and(Vec::is_empty) && output == Output::Table;
            let note = if empty { "the log is empty\n".into() } else { String::new() };
            (log_lines::listing(&data, output, style), note)
        }
        Task::Insight { insight: Insight::Stats, .. } if output == Output::Table => {
            (stats::text(&data, style), String::new())
        }
        Task::Insight { insight: Insight::Schedule, .. } => {
            let empty = data.as_array().is_some_and(Vec::is_empty) && output == Output::Table;
            let note = if empty { "it is not run by itself\n".into() } else { String::new() };
            (schedule::text(&data, output, style), note)
        }
        Task::Insight { insight: Insight::Trigger, .. } => {
            let report = answer::text(None, &data, output, style);
            return Ok(Report { text: report, note: String::new(), ok: schedule::went_well(&data) });
        }
        Task::Resource { kind, .. } => {
            let empty = data.as_array().is_some_and(Vec::is_empty) && output == Output::Table;
            let note =
                if empty { format!("no {} found by {}\n", kind.name, request.target) } else { String::new() };
            (answer::text(Some(kind), &data, output, style), note)
        }
        _ => (answer::text(None, &data, output, style), String::new()),
    };
    Ok(Report { text, note, ok: true })
}

pub(crate) fn credentials(
    settings: &Settings,
    password: &dyn Fn(&str) -> io::Result<String>,
) -> Result<Option<String>, Failure> {
    match &settings.auth {
        None => Ok(None),
        Some(auth) if auth.contains(':') => Ok(Some(auth.clone())),
        Some(user) => match password(&format!("password for {user}: ")) {
            Ok(password) => Ok(Some(format!("{user}:{password}"))),
            Err(error) => Err(Failure::usage(format!("no password for {user}"))
                .why(error.to_string())
                .hint("run it in a terminal, or put USER:PASS into TIDEGATE_ADMIN_AUTH")),
        },
    }
}

#[cfg(test)]
mod tests;
