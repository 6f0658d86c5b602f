//! `init_resources`: what the file wants to exist. Here files are read and the ways to give a payload become one; what a
//! resource means is checked when it is applied, with the paths kept here. Never prints a value: some are secrets.

use super::section::{Findings, Section, scalar};
use crate::change::Kind;
use crate::invalid::Invalid;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest file that a resource may name, bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Fields that are numbers or flags, in both spellings. A variable makes a string of them, which is read as what it is.
const TYPED: [&str; 19] = [
    "retries",
    "priority",
    "maxBodyBytes",
    "max_body_bytes",
    "retry_timeout_ms",
    "connect_timeout_ms",
    "request_timeout_ms",
    "preserveHost",
    "preserve_host",
    "stripPath",
    "strip_path",
    "allowEncodedSlash",
    "allow_encoded_slash",
    "tlsSkipVerify",
    "tls_skip_verify",
    "hideDGateHeaders",
    "hide_dgate_headers",
    "disableQueryParams",
    "disable_query_params",
];

/// Lists of the section with the kind they hold, in an order in which they can be created.
const LISTS: [(&str, Kind); 8] = [
    ("namespaces", Kind::Namespace),
    ("services", Kind::Service),
    ("modules", Kind::Module),
    ("routes", Kind::Route),
    ("domains", Kind::Domain),
    ("collections", Kind::Collection),
    ("documents", Kind::Document),
    ("secrets", Kind::Secret),
];

/// One resource as the file gives it.
#[derive(Clone)]
pub struct InitResource {
    /// What it is.
    pub kind: Kind,
    /// Where it stands: `proxy.init_resources.services[0]`.
    pub at: String,
    /// The resource as the admin API takes it.
    pub value: Value,
}

impl fmt::Debug for InitResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.kind.name(), self.at)
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct InitResources {
    /// In an order in which they can be created.
    pub items: Vec<InitResource>,
}

/// Reads the section. Files are relative to `dir`, the configuration file's folder.
pub(super) fn read(mut section: Section<'_>, dir: &Path) -> InitResources {
    section.later("skip_validation", "resources are always checked");
    let mut found = InitResources::default();
    for (list, kind) in LISTS {
        for (at, value) in section.items(list) {
            let Value::Object(mut fields) = value else {
                note(section.findings(), &at, "must be a section with keys");
                continue;
            };
            fields
                .iter_mut()
                .filter(|(name, _)| TYPED.contains(&name.as_str()))
                .for_each(|(_, value)| typed(value));
            if let (Kind::Module, Some(Value::Object(limits))) = (kind, fields.get_mut("limits")) {
                limits.values_mut().for_each(typed);
            }
            let outcome = match kind {
                Kind::Module => payload(&mut fields, dir),
                Kind::Domain => certificate(&mut fields, dir),
                _ => Ok(()),
            };
            if let Err(fault) = outcome {
                note(section.findings(), &format!("{at}{}{}", dot(&fault.at), fault.at), &fault.why);
                continue;
            }
            found.items.push(InitResource { kind, at, value: Value::Object(fields) });
        }
    }
    section.finish();
    found
}

fn typed(value: &mut Value) {
    let read = value.as_str().and_then(|text| serde_json::from_str::<Value>(text.trim()).ok());
    if let Some(read @ (Value::Number(_) | Value::Bool(_))) = read {
        *value = read;
    }
}

fn note(findings: &RefCell<Findings>, at: &str, why: &str) {
    findings.borrow_mut().faults.push(Invalid::new(at, why));
}

/// What stands between a path and what is added to it.
pub(crate) fn dot(below: &str) -> &'static str {
    if below.is_empty() || below.starts_with('[') { "" } else { "." }
}

/// The first of the spellings that is there, taken out.
fn take(fields: &mut Map<String, Value>, spellings: &[&str]) -> Option<(String, Value)> {
    spellings.iter().find_map(|name| Some(((*name).to_owned(), fields.remove(*name)?)))
}

/// Makes `payload` of whichever of the three ways was used.
fn payload(fields: &mut Map<String, Value>, dir: &Path) -> Result<(), Invalid> {
    let file = take(fields, &["payload_file", "payloadFile"]);
    let raw = take(fields, &["payloadRaw", "payload_raw"]);
    match (file, raw, fields.get("payload").is_some()) {
        (None, None, _) => Ok(()),
        (Some((key, path)), None, false) => {
            let bytes = file_of(&key, &path, dir)?;
            // Without a type the file's name tells, as DGate's command line does.
            let javascript =
                scalar(&path).is_some_and(|path| path.ends_with(".js") || path.ends_with(".mjs"));
            if javascript && !fields.contains_key("moduleType") && !fields.contains_key("module_type") {
                fields.insert("moduleType".into(), "javascript".into());
            }
            fields.insert("payload".into(), STANDARD.encode(bytes).into());
            Ok(())
        }
        (None, Some((key, source)), false) => {
            let source = source.as_str().ok_or_else(|| Invalid::new(key, "must be a string"))?;
            fields.insert("payload".into(), STANDARD.encode(source).into());
            Ok(())
        }
        _ => Err(Invalid::new("payload", "give one of payload, payloadRaw and payload_file")),
    }
}

/// Reads `cert_file` and `key_file` into `cert` and `key`.
fn certificate(fields: &mut Map<String, Value>, dir: &Path) -> Result<(), Invalid> {
    for (file_keys, key) in [(["cert_file", "certFile"], "cert"), (["key_file", "keyFile"], "key")] {
        let Some((file_key, path)) = take(fields, &file_keys) else { continue };
        if fields.contains_key(key) {
            return Err(Invalid::new(key, format!("give one of {key} and {file_key}")));
        }
        let text = String::from_utf8(file_of(&file_key, &path, dir)?)
            .map_err(|_| Invalid::new(file_key, "the file holds no PEM text"))?;
        fields.insert(key.into(), text.into());
    }
    Ok(())
}

/// The bytes of a file that the configuration names. Whoever writes the configuration may name any file; devices,
/// pipes and what is too large are mistakes.
fn file_of(key: &str, path: &Value, dir: &Path) -> Result<Vec<u8>, Invalid> {
    let fault = |why: String| Invalid::new(key, why);
    let name = path.as_str().ok_or_else(|| fault("must be the path of a file".into()))?;
    let failed = |e: std::io::Error| fault(format!("'{name}' cannot be read: {e}"));
    let path = dir.join(name);
    let meta = std::fs::metadata(&path).map_err(failed)?;
    if !meta.is_file() {
        return Err(fault(format!("'{name}' is not a file")));
    }
    let mut bytes = Vec::new();
    File::open(&path).map_err(failed)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(fault(format!("'{name}' has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}
