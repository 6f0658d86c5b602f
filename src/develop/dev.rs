//! `tidegate module dev`: pushes a module and what it imports to a running gateway whenever a file is saved, and tells what
//! its requests come to. It changes the modules of that name and nothing else there.

use super::files::{self, Package, shown};
use super::print::{self, Paint, say};
use super::watch::Watch;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tidegate_ctl::{Gateway, Options};
use tidegate_js::kit::Project;

/// The command.
#[derive(Args)]
pub struct Dev {
    /// Folder of the project, or the file of the module
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    path: PathBuf,
    /// Name of the module there [default: the name in package.json]
    #[arg(long)]
    name: Option<String>,
    /// Namespace it is pushed to
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Push once and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    options: Options,
}

/// How often the gateway is asked what has happened.
const ASK: Duration = Duration::from_millis(400);

impl Dev {
    /// Ends when it is ended; with `--once` exit code 1 means that the gateway does not run what is on the disk.
    pub fn run(self, outer: &Options) -> Result<ExitCode, String> {
        let entry = self.entry()?;
        let package = Package::above(&entry)?;
        let stem = entry.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = self.name.clone().or_else(|| package.name.clone()).unwrap_or(stem);
        let mut gateway = Gateway::open(self.options.clone().over(outer))?;
        let paint = Paint::for_stdout();
        let mut watch = Watch::default();
        let mut news = News { namespace: self.namespace.clone(), name, since: 0, seen: None, has_log: true };
        watch.add(&entry);
        let mut is_live = self.push(&entry, &mut news, &mut gateway, &mut watch, paint)?;
        if self.once {
            return Ok(if is_live { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        loop {
            let mut asked = Instant::now();
            watch.wait(|| {
                if is_live && asked.elapsed() >= ASK {
                    news.tell(&mut gateway, paint);
                    asked = Instant::now();
                }
            });
            is_live = self.push(&entry, &mut news, &mut gateway, &mut watch, paint)?;
            if !say("") {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    /// The module's file: the one named, or src/NAME.ts of the folder.
    fn entry(&self) -> Result<PathBuf, String> {
        let path = files::absolute(&self.path)?;
        if path.is_file() {
            return Ok(path);
        }
        let name = self.name.clone().or(Package::above(&path.join("package.json"))?.name);
        let name = name.ok_or_else(|| {
            format!("{}: there is no package.json that names the module; give the file itself", shown(&path))
        })?;
        let tried: Vec<PathBuf> = ["src", "."]
            .iter()
            .flat_map(|folder| ["ts", "js"].map(|ending| path.join(folder).join(format!("{name}.{ending}"))))
            .collect();
        let found = tried.iter().find(|file| file.is_file()).cloned();
        found.ok_or_else(|| format!("there is no {}; give the module's file itself", shown(&tried[0])))
    }

    /// Pushes everything, imports first. `false`: something is wrong with it, which was told.
    fn push(
        &self,
        entry: &Path,
        news: &mut News,
        gateway: &mut Gateway,
        watch: &mut Watch,
        paint: Paint,
    ) -> Result<bool, String> {
        let began = Instant::now();
        let project = match Project::load(&entry.to_string_lossy(), false, &files::read) {
            Ok(project) => project,
            Err(faults) => {
                for fault in &faults {
                    watch.add(&files::absolute(Path::new(&fault.module))?);
                }
                say(print::diagnostics(&faults, paint));
                return Ok(false);
            }
        };
        let package = Package::above(entry)?;
        let folder = entry.parent().unwrap_or(entry);
        for path in project.paths.iter().rev().map(Path::new) {
            watch.add(path);
            if path.parent() != Some(folder) {
                say(format!(
                    "{} {} is in another folder: modules of a gateway find each other by name, so keep them beside {}\n",
                    paint.bad("error"),
                    shown(path),
                    shown(entry)
                ));
                return Ok(false);
            }
            let is_entry = path == entry;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let module = if is_entry { news.name.clone() } else { stem };
            let source = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", shown(path)))?;
            let is_javascript = path.extension().is_some_and(|ending| ending == "js" || ending == "mjs");
            let mut fields = json!({ "moduleType": if is_javascript { "javascript" } else { "typescript" } });
            if is_entry {
                if let Some(permissions) = &package.permissions {
                    fields["permissions"] = json!(permissions);
                }
                if let Some(limits) = &package.limits {
                    fields["limits"] = limits.clone();
                }
            }
            if let Err(why) = gateway.put_module(&self.namespace, &module, &source, fields) {
                say(why);
                return Ok(false);
            }
        }
        let (name, ms) = (&news.name, began.elapsed().as_millis());
        say(format!(
            "{} {}/{name} is live at {} ({ms} ms)\n",
            paint.good('✓'),
            self.namespace,
            gateway.address()
        ));
        news.begin(gateway, paint);
        Ok(true)
    }
}

/// What the gateway says of the module.
struct News {
    namespace: String,
    name: String,
    /// The last entry of the log that was shown.
    since: u64,
    /// Calls and failures when they were last looked at.
    seen: Option<(f64, f64)>,
    /// The gateway has module logs.
    has_log: bool,
}

impl News {
    fn log(&mut self, gateway: &mut Gateway, since: u64) -> Option<Vec<Value>> {
        if !self.has_log {
            return None;
        }
        let target = format!("/api/v1/module/{}/{}/logs?since={since}", self.namespace, self.name);
        match gateway.get(&target) {
            Ok(answer) => Some(answer.as_array().cloned().unwrap_or_default()),
            Err(_) => {
                self.has_log = false;
                None
            }
        }
    }

    /// What was before the first push is nobody's news; a module that no route lists is.
    fn begin(&mut self, gateway: &mut Gateway, paint: Paint) {
        if self.seen.is_some() {
            return;
        }
        let before = self.log(gateway, 0).unwrap_or_default();
        self.since = before.iter().filter_map(|entry| entry["seq"].as_u64()).max().unwrap_or(0);
        self.seen = Some(self.counted(gateway).unwrap_or_default());
        let routes = gateway.get("/api/v1/route").unwrap_or_default();
        let lists = |route: &Value| {
            let modules = route["modules"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut names = modules.map(|entry| entry.split([':', '@', ';']).next().unwrap_or(entry));
            names.any(|name| name == self.name)
        };
        if !routes.as_array().into_iter().flatten().any(lists) {
            say(format!(
                "  {} no route lists it yet: tidegate route create name={name} paths=/{name} methods=* modules={name}\n",
                paint.warn("note"),
                name = self.name
            ));
        }
    }

    /// Calls and failures since the gateway was started.
    fn counted(&self, gateway: &mut Gateway) -> Option<(f64, f64)> {
        let metrics = gateway.text("/metrics").ok()?;
        let sum = |family: &str| -> f64 {
            let (slash, only) = (format!("{}/{}", self.namespace, self.name), format!("\"{}\"", self.name));
            let rows = metrics.lines().filter(|line| line.starts_with(family));
            let ours = rows.filter(|line| line.contains(&slash) || line.contains(&only));
            ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        Some((sum("tidegate_module_calls_total"), sum("tidegate_module_failures_total")))
    }

    /// Shows what is new: log entries, and how many calls there were.
    fn tell(&mut self, gateway: &mut Gateway, paint: Paint) {
        for entry in self.log(gateway, self.since).unwrap_or_default() {
            let seq = entry["seq"].as_u64().unwrap_or(0);
            if seq <= self.since {
                continue;
            }
            self.since = seq;
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let line = format!("{:<5} {}", text("level"), text("text"));
            let line = match text("level") {
                "error" => paint.bad(line),
                "warn" => paint.warn(line),
                _ => line,
            };
            say(format!("  {line} {}\n", paint.faint([text("function"), text("route")].join(" ").trim())));
            for frame in entry["stack"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                say(format!("        {}\n", paint.faint(frame.trim())));
            }
        }
        let Some(now) = self.counted(gateway) else { return };
        let before = self.seen.replace(now).unwrap_or_default();
        let (calls, failed) = (now.0 - before.0, now.1 - before.1);
        if calls > 0.0 {
            let failed = if failed > 0.0 { paint.bad(format!(", {failed} failed")) } else { String::new() };
            say(format!("  {}{failed}\n", paint.faint(format!("{calls} calls"))));
        }
    }
}
