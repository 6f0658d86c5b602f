//! Files of a project: which are tests, how they are shown, what `package.json` says of the module, and reading them for the
//! kit. Nothing here writes.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_js::kit::{Settings, Source};
use tidegate_js::{DEFAULT_PERMISSIONS, Grants, Limits};

/// Folders that are never looked into.
const PASSED_BY: [&str; 2] = ["node_modules", "target"];
/// Deepest folder that is looked into.
const DEPTH: usize = 32;

/// A path without `.` and `..`, from the root.
pub fn absolute(path: &Path) -> Result<PathBuf, String> {
    let path = std::path::absolute(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    Ok(plain)
}

/// A path as a person here names it: below the current folder without it.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// Reads a file for the kit.
pub fn read(path: &str) -> Option<Source> {
    let text = fs::read_to_string(path).ok()?;
    Some(Source { shown: shown(Path::new(path)), text })
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    [".test.ts", ".test.mts", ".test.js", ".test.mjs"].iter().any(|ending| name.ends_with(ending))
}

/// The test files that words name: files as they are, folders with all below them, in order.
pub fn tests(words: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let here = [PathBuf::from(".")];
    let words = if words.is_empty() { &here[..] } else { words };
    let mut found = Vec::new();
    for word in words {
        let path = absolute(word)?;
        match fs::metadata(&path) {
            Ok(about) if about.is_dir() => below(&path, DEPTH, &mut found),
            Ok(_) => found.push(path),
            Err(e) => return Err(format!("{}: {e}", word.display())),
        }
    }
    found.dedup();
    Ok(found)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && depth > 0 && !name.starts_with('.') && !PASSED_BY.contains(&name.as_str()) {
            below(&path, depth - 1, found);
        } else if path.is_file() && is_test(&path) {
            found.push(path);
        }
    }
}

/// What `package.json` says: its name, and in its `tidegate` what the module is pushed and tested with.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Without a scope.
    pub name: Option<String>,
    /// As the resource has them; `None` for the defaults.
    pub permissions: Option<Vec<String>>,
    /// As the resource has them.
    pub limits: Option<Value>,
}

impl Package {
    /// That of the nearest folder above a path.
    pub fn above(path: &Path) -> Result<Package, String> {
        let Some((at, text)) = path.ancestors().find_map(|folder| {
            let at = folder.join("package.json");
            fs::read_to_string(&at).ok().map(|text| (at, text))
        }) else {
            return Ok(Package::default());
        };
        let json: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", shown(&at)))?;
        let about = &json["tidegate"];
        let permissions = match &about["permissions"] {
            Value::Null => None,
            Value::Array(list) => {
                Some(list.iter().map(|entry| entry.as_str().unwrap_or_default().to_owned()).collect())
            }
            _ => return Err(format!("{}: tidegate.permissions is no list", shown(&at))),
        };
        let name = json["name"].as_str().map(|name| name.rsplit('/').next().unwrap_or(name).to_owned());
        Ok(Package { name, permissions, limits: about.get("limits").cloned() })
    }

    /// What a test of this package runs under.
    pub fn settings(&self) -> Result<Settings, String> {
        let grants = match &self.permissions {
            Some(list) => Grants::parse(list),
            None => Grants::parse(&DEFAULT_PERMISSIONS),
        };
        let grants = grants.map_err(|faults| {
            let why: Vec<String> = faults.into_iter().map(|(_, why)| why).collect();
            format!("package.json, tidegate.permissions: {}", why.join("; "))
        })?;
        let number =
            |key: &str| self.limits.as_ref().and_then(|limits| limits.get(key)).and_then(Value::as_u64);
        let mut limits = Limits::default();
        if let Some(ms) = number("cpuMs") {
            limits.cpu_ms = u32::try_from(ms).unwrap_or(limits.cpu_ms);
        }
        if let Some(bytes) = number("memoryBytes") {
            limits.memory_bytes = usize::try_from(bytes).unwrap_or(limits.memory_bytes);
        }
        let body_bytes = number("bodyBytes").and_then(|bytes| usize::try_from(bytes).ok());
        Ok(Settings { limits, body_bytes: body_bytes.unwrap_or(8 << 20), grants, filter: None })
    }
}
