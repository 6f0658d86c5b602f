//! The configuration file: DGate's keys of both versions in YAML, JSON or TOML, plus our own section `tidegate:`. All
//! faults are reported at once with their paths. A key that DGate knows and we do not act on is named in a warning, a
//! key that protects something and that we cannot honour is a fault, and so is a key that nobody knows.
//!
//! Nothing here listens, stores or starts anything.

mod admin;
mod expand;
mod file;
mod init;
mod nearest;
mod proxy;
mod section;
mod transport;
mod tree;

pub use file::{
    AdminConfig, FileConfig, Listen, LogConfig, LogLevel, ProxyConfig, StorageConfig, TestServerConfig,
};
pub(crate) use init::dot;
pub use init::{InitResource, InitResources};

use crate::invalid::Invalid;
use crate::resource::check_node_tag;
use expand::Expander;
use section::{Findings, Section, scalar};
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use tree::Format;

/// Largest configuration file, bytes.
const MAX_BYTES: u64 = 64 << 20;

/// How a file is loaded.
pub struct LoadOptions<'a> {
    /// Run what stands in `$(…)`; refused otherwise.
    pub allow_commands: bool,
    /// Where `${VAR}` comes from.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Default for LoadOptions<'_> {
    /// The process's environment, and no commands.
    fn default() -> Self {
        Self { allow_commands: false, env: &|name| std::env::var(name).ok() }
    }
}

/// A file that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub file: FileConfig,
    /// What it asks for and does not get.
    pub warnings: Vec<Invalid>,
}

/// Loads a configuration file; its extension tells the format. Errors: every fault with its path; a file that cannot
/// be read or parsed is one fault without a path.
pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Loaded, Vec<Invalid>> {
    let whole = |why: String| vec![Invalid::new("", format!("{}: {why}", path.display()))];
    let format = Format::of(path)
        .ok_or_else(|| whole("a configuration file ends in .yaml, .yml, .json or .toml".into()))?;
    let size = std::fs::metadata(path).map_err(|e| whole(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(whole(format!("is larger than {MAX_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| whole(e.to_string()))?;
    let tree = format.parse(&text).map_err(whole)?;
    read(tree, path.parent().unwrap_or(Path::new("")), options)
}

/// Reads a parsed file; `dir` is where its relative files are.
fn read(mut tree: Value, dir: &Path, options: &LoadOptions<'_>) -> Result<Loaded, Vec<Invalid>> {
    let mut faults = Vec::new();
    Expander { env: options.env, allow_commands: options.allow_commands }.expand(&mut tree, "", &mut faults);
    let findings = RefCell::new(Findings::default());
    let file = whole(Section::open(tree, "", &findings), dir);
    let Findings { faults: found, warnings } = findings.into_inner();
    // What could not be expanded was then read as it stands: one fault per place is enough.
    let expanded: Vec<String> = faults.iter().map(|fault| fault.at.clone()).collect();
    faults.extend(found.into_iter().filter(|fault| !expanded.contains(&fault.at)));
    if faults.is_empty() { Ok(Loaded { file, warnings }) } else { Err(faults) }
}

fn whole(mut top: Section<'_>, dir: &Path) -> FileConfig {
    let mut file = FileConfig::default();
    if let Some(version) = top.text("version")
        && !["v1", "v2", "1", "2"].contains(&version.as_str())
    {
        top.warn("version", "is none that this build knows ('v1' or 'v2'); the file is read as 'v1'");
    }
    if let Some(level) = top.text("log_level") {
        match LogLevel::of(&level) {
            Some(level) => file.log.level = level,
            None => top.fault("log_level", "is no level: write trace, debug, info, warn or error"),
        }
    }
    file.log.json = top.flag("log_json").unwrap_or_default();
    file.log.color = top.flag("log_color");
    file.debug = top.flag("debug").unwrap_or_default();
    file.node_id = top.text("node_id").unwrap_or_default();
    file.tags = top.texts("tags");
    for (index, tag) in file.tags.iter().enumerate() {
        if let Err(why) = check_node_tag(tag) {
            top.fault(&format!("tags[{index}]"), why);
        }
    }
    file.disable_metrics = top.flag("disable_metrics").unwrap_or_default();
    file.disable_default_namespace = top.flag("disable_default_namespace").unwrap_or_default();
    if let Some(section) = top.section("storage") {
        file.storage = storage(section);
    }
    if let Some(section) = top.section("proxy") {
        file.proxy = proxy::read(section, dir, file.log.level, &mut file.tuning);
    }
    match top.section("admin") {
        Some(section) => file.admin = admin::read(section),
        None => {
            top.warn("admin", "is not there: the admin API is served on 127.0.0.1:9080 without credentials")
        }
    }
    file.test_server = top.section("test_server").map(test_server);
    top.later("cluster", "clusters come with a later version: this node runs alone");
    top.later("Logger", "log outputs cannot be configured in detail: use log_level, log_json and log_color");
    top.later("stats", "statistics need no configuration: see /metrics of the admin API");
    if let Some(section) = top.section("tidegate") {
        // Written by hand for us, so it wins over what was derived from DGate's keys.
        tuning(section, &mut file);
    }
    top.finish();
    file
}

fn storage(mut section: Section<'_>) -> StorageConfig {
    let mut storage = StorageConfig::default();
    match section.text("type").as_deref() {
        None | Some("file") => {}
        Some("memory") => storage.memory = true,
        Some(_) => section.fault("type", "is no storage: write file or memory"),
    }
    storage.dir = section.text("dir").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    section.finish();
    storage
}

fn test_server(mut section: Section<'_>) -> TestServerConfig {
    let listen = Listen {
        host: section.text("host").unwrap_or_else(|| "127.0.0.1".into()),
        port: section.number("port").unwrap_or(8888),
    };
    let global_headers = section.pairs("global_headers");
    if let Err((name, why)) = proxy::check_headers(&global_headers) {
        section.fault("global_headers", format!("'{name}' {why}"));
    }
    let why = "the test server speaks HTTP/1.1";
    section.later("enable_h2c", why);
    section.later("enable_http2", why);
    section.later("enable_env_vars", "the environment is not shown to whoever asks");
    section.finish();
    TestServerConfig { listen, global_headers }
}

fn tuning(mut section: Section<'_>, file: &mut FileConfig) {
    for (key, value) in section.rest() {
        let text = match &value {
            Value::Array(items) => {
                items.iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(","))
            }
            one => scalar(one),
        };
        match text {
            Some(text) => drop(file.tuning.insert(key.replace('-', "_"), text)),
            None => section.fault(&key, "must be one value: the keys are those of the command's flags"),
        }
    }
}

#[cfg(test)]
mod tests;
