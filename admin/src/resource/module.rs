//! A module as it was written: its source in base64, what it may reach and what it may use. Whether it compiles is
//! `javascript`'s business; here is only what the resource itself says.

use super::selection::ALL;
use super::tag::{self, Tag};
use super::{Budget, Hidden, Resource, name};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_js::{DEFAULT_PERMISSIONS, Grants};

/// Most permissions of a module.
const MAX_PERMISSIONS: usize = 256;
/// Longest permission in bytes: a name or a host with what stands before it.
const MAX_PERMISSION: usize = 300;

/// Base64 as DGate's clients write it: the padding may be missing.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// What a module is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModuleType {
    /// TypeScript; its types are removed, not checked.
    #[default]
    Typescript,
    /// JavaScript, as an ES module.
    Javascript,
}

/// Source text that routes run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Module {
    /// Unique name within the namespace; what other modules import it by. `NAME:VERSION` is a version of its own, which
    /// lives beside the others.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The source in base64; line breaks in it are fine. `payloadRaw` takes the source as it is instead.
    pub payload: Hidden<String>,
    /// The language.
    #[serde(default)]
    pub module_type: ModuleType,
    /// What the module, and everything it imports, may reach: `net:fetch[:HOST]`, `net:private`,
    /// `documents:read[:COLLECTION]`, `documents:write[:COLLECTION]`, `cache`, `secrets[:NAME]`, `env[:NAME]`. Absent:
    /// `net:fetch`, `documents:read`, `documents:write` and `cache`. An empty list grants nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_PERMISSIONS))]
    pub permissions: Option<Vec<String>>,
    /// Bounds of its calls, where they differ from the gateway's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Budget>,
    /// Labels; `#name:data`, `!name:data`, `?name:a,b` and `?*name:a,b` choose the nodes that run it, and
    /// `canary@P%:MODULE` gives a part of its calls to another module.
    #[serde(default)]
    pub tags: Vec<String>,
}

impl Module {
    /// The source text. Errors: a sentence, for a payload that is not base64 of UTF-8.
    pub fn source(&self) -> Result<String, String> {
        let compact: Vec<u8> = self.payload.expose().bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let bytes = TOLERANT.decode(compact).map_err(|_| {
            "is not base64: encode the source, or send it as it is in 'payloadRaw'".to_owned()
        })?;
        String::from_utf8(bytes).map_err(|_| "the source is not UTF-8 text".to_owned())
    }

    /// Its permissions: those it lists, or the default ones.
    pub(crate) fn permissions(&self) -> Vec<Box<str>> {
        match &self.permissions {
            Some(list) => list.iter().map(|name| name.as_str().into()).collect(),
            None => DEFAULT_PERMISSIONS.map(Box::from).into(),
        }
    }

    /// The same as the engine takes them. Errors: index of the entry, and a sentence.
    pub(crate) fn grants(&self) -> Result<Grants, Vec<(usize, String)>> {
        Grants::parse(&self.permissions())
    }

    /// The modules that take a part of its calls: parts per million, and which.
    pub(crate) fn canaries(&self) -> Vec<(u32, String)> {
        let tags = self.tags.iter().filter_map(|tag| tag::parse(tag).ok());
        tags.filter_map(|tag| match tag {
            Tag::Canary(share, module) => Some((share, module.to_owned())),
            _ => None,
        })
        .collect()
    }

    fn check_tags(&self, faults: &mut Vec<Invalid>) {
        let mut taken = 0;
        name::read_tags(&self.tags, faults, &mut |at, tag| {
            let Tag::Canary(share, module) = tag else { return None };
            taken += share;
            if module == self.name {
                Some(Invalid::new(
                    at,
                    "a module is no canary of itself: name another one, like 'canary@1%:NAME:2'",
                ))
            } else if taken > ALL {
                Some(Invalid::new(at, "with this one the canaries take more than 100 % of the calls"))
            } else {
                None
            }
        });
    }

    fn check_permissions(&self, faults: &mut Vec<Invalid>) {
        let list = self.permissions.as_deref().unwrap_or_default();
        let at = |index: usize| format!("permissions[{index}]");
        for (index, name) in list.iter().enumerate() {
            if name.len() > MAX_PERMISSION {
                faults.push(Invalid::new(at(index), format!("is longer than {MAX_PERMISSION} bytes")));
            } else if list[..index].contains(name) {
                faults.push(Invalid::new(at(index), "this permission stands twice"));
            }
        }
        let wrong = self.grants().err().unwrap_or_default();
        let short = wrong.into_iter().filter(|(index, _)| list[*index].len() <= MAX_PERMISSION);
        faults.extend(short.map(|(index, why)| Invalid::new(at(index), why)));
    }

    /// The payload for a source text.
    pub fn encode(source: &str) -> String {
        STANDARD.encode(source)
    }
}

impl Resource for Module {
    const KIND: Kind = Kind::Module;

    fn key(&self) -> Key {
        name::key(Self::KIND, &self.namespace, &self.name)
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check_module("name", &self.name, faults);
        name::check("namespace", &self.namespace, faults);
        self.check_tags(faults);
        self.check_permissions(faults);
        match self.source() {
            Err(why) => faults.push(Invalid::new("payload", why)),
            Ok(source) if source.trim().is_empty() => {
                faults.push(Invalid::new("payload", "the source is empty"))
            }
            Ok(_) => {}
        }
    }

    fn settle(&mut self) {
        if let Ok(source) = self.source() {
            self.payload = Hidden::new(Self::encode(&source));
        }
        self.limits = self.limits.take().filter(|limits| *limits != Budget::default());
    }
}
