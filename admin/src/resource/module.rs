//! A module as it was written: its source in base64. Whether it compiles is `javascript`'s business; here is only what
//! the resource itself says.

use super::{Hidden, Resource, name};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Unique name within the namespace; what other modules import it by.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The source in base64; line breaks in it are fine. `payloadRaw` takes the source as it is instead.
    pub payload: Hidden<String>,
    /// The language.
    #[serde(default)]
    pub module_type: ModuleType,
    /// Free labels.
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
        name::check("name", &self.name, faults);
        name::check("namespace", &self.namespace, faults);
        name::check_tags(&self.tags, faults);
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
    }
}
