//! `tidegate module run`: one request through a module, and what each function did with it.

use super::files::{self, Package};
use super::message;
use super::print::{self, Paint, say};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use tidegate_js::kit::{Project, World, run_request};

/// The command.
#[derive(Args)]
pub struct Run {
    /// The module
    #[arg(value_name = "FILE")]
    module: PathBuf,
    /// The request: as on the wire (GET /path HTTP/1.1, fields, an empty line, the body), or .json
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// What the upstream answers, in the same forms [default: 200 without a body]
    #[arg(long, value_name = "FILE")]
    upstream: Option<PathBuf>,
    /// A secret that the module may read
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<String>,
    /// A variable of the environment that the module may read
    #[arg(long = "env", value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// How the outcome is printed: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    output: String,
}

fn pairs(words: &[String]) -> Result<Vec<(String, String)>, String> {
    let pair = |word: &String| {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("'{word}': write NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    words.iter().map(pair).collect()
}

impl Run {
    /// Exit code 1: the module does not compile, or a function failed.
    pub fn run(&self) -> Result<ExitCode, String> {
        let paint = Paint::for_stdout();
        let path = files::absolute(&self.module)?;
        let mut input = json!({ "request": message::request(&self.request)? });
        if let Some(upstream) = &self.upstream {
            input["upstream"] = message::response(upstream)?;
        }
        let settings = Package::above(&path)?.settings()?;
        let world = World::default();
        world.lend(&pairs(&self.secrets)?, &pairs(&self.env)?);
        let project = match Project::load(&path.to_string_lossy(), false, &files::read) {
            Ok(project) => project,
            Err(faults) => {
                eprint!("{}", print::diagnostics(&faults, paint));
                return Ok(ExitCode::FAILURE);
            }
        };
        let report = match run_request(&project, &settings, world, &input.to_string()) {
            Ok(report) => report,
            Err(fault) => {
                eprint!("{}", print::fault(&fault, "", paint));
                return Ok(ExitCode::FAILURE);
            }
        };
        let report: Value = serde_json::from_str(&report).map_err(|e| format!("the kit's report: {e}"))?;
        match self.output.as_str() {
            "json" => say(format!("{report:#}\n")),
            _ => say(Sheet { paint, text: String::new() }.of(&report)),
        };
        Ok(if report["error"].is_null() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The report for people, as it grows.
struct Sheet {
    paint: Paint,
    text: String,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Sheet {
    fn line(&mut self, label: &str, line: &str) {
        let label = self.paint.faint(format!("{label:<9}"));
        self.text += &format!("  {label} {line}\n");
    }

    fn of(mut self, report: &Value) -> String {
        for step in items(&report["steps"]) {
            let cpu = step["cpuMicroseconds"].as_f64().unwrap_or_default() / 1e3;
            let name = self.paint.bold(text(&step["function"]));
            self.text += &format!("{name} {}\n", self.paint.faint(format!("{cpu:.2} ms CPU")));
            for (side, lines) in step["changes"].as_object().into_iter().flatten() {
                for line in items(lines).iter().map(text) {
                    let shown =
                        if line.starts_with('-') { self.paint.bad(line) } else { self.paint.good(line) };
                    self.line(side, &shown);
                }
            }
            self.said(&step["console"]);
            self.failed(&step["error"]);
        }
        for fetch in items(&report["fetches"]) {
            let what = format!("{} {}", text(&fetch["method"]), text(&fetch["url"]));
            let refused =
                self.paint.warn("not sent: this command touches no network; write a test with fakeFetch()");
            self.line("fetch", &format!("{what} {refused}"));
        }
        let sent = &report["sent"];
        if sent.is_object() {
            let query = text(&sent["query"]);
            let mark = if query.is_empty() { "" } else { "?" };
            let url = sent["url"].as_str().map_or_else(|| "its service".to_owned(), str::to_owned);
            self.text += &format!("{} {url}\n", self.paint.bold("→ upstream"));
            self.line("request", &format!("{} {}{mark}{query}", text(&sent["method"]), text(&sent["path"])));
            self.line("host", text(&sent["host"]));
            self.message(sent);
        }
        let response = &report["response"];
        self.text += &format!("{} {}\n", self.paint.bold("← client"), response["status"]);
        self.message(response);
        self.said(&report["console"]);
        self.text
    }

    fn message(&mut self, message: &Value) {
        for (name, value) in message["headers"].as_object().into_iter().flatten() {
            self.line("field", &format!("{name}: {}", text(value)));
        }
        for line in text(&message["body"]).lines().take(40) {
            self.line("body", line);
        }
    }

    fn said(&mut self, lines: &Value) {
        for said in items(lines) {
            self.line(text(&said["level"]), text(&said["text"]));
        }
    }

    fn failed(&mut self, error: &Value) {
        if error.is_object() {
            let message = self.paint.bad(text(&error["message"]));
            self.line("error", &message);
            for frame in text(&error["stack"]).lines() {
                self.line("", frame.trim());
            }
        }
    }
}
