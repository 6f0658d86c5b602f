//! A domain as it was written: host patterns that lead into a namespace, and their certificate, which goes in and never
//! comes out again.

use super::{Hidden, Resource, name};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_snapshot::HostPattern;

/// Host patterns of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Domain {
    /// Unique name within the namespace.
    pub name: String,
    /// The namespace its hosts lead into.
    pub namespace: String,
    /// `example.com`, `*.example.com`, `api.*`, `*internal*`, `*` or `/regex/`; at least one.
    #[schemars(length(min = 1, max = 1024))]
    pub patterns: Vec<String>,
    /// Higher is asked first.
    #[serde(default)]
    #[schemars(range(min = -2_147_483_648i64, max = 2_147_483_647i64))]
    pub priority: i64,
    /// Certificate chain in PEM. Absent keeps the stored one, empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_048_576))]
    pub cert: Option<Hidden<String>>,
    /// Private key in PEM. Absent keeps the stored one, empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_048_576))]
    pub key: Option<Hidden<String>>,
    /// Labels; `#name:data`, `!name:data`, `?name:a,b` and `?*name:a,b` choose the nodes that run it.
    #[serde(default)]
    pub tags: Vec<String>,
}

fn filled(value: &Option<Hidden<String>>) -> Option<&str> {
    value.as_ref().map(|hidden| hidden.expose().as_str()).filter(|text| !text.is_empty())
}

impl Resource for Domain {
    const KIND: Kind = Kind::Domain;

    fn key(&self) -> Key {
        name::key(Self::KIND, &self.namespace, &self.name)
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check("name", &self.name, faults);
        name::check("namespace", &self.namespace, faults);
        name::check_tags(&self.tags, faults);
        for (at, pattern) in self.patterns.iter().enumerate() {
            if pattern.len() > 1024 {
                faults.push(Invalid::new(format!("patterns[{at}]"), "is longer than 1024 bytes"));
            } else if let Err(error) = pattern.parse::<HostPattern>() {
                faults.push(Invalid::new(format!("patterns[{at}]"), error.to_string()));
            }
        }
        let (cert, key) = (filled(&self.cert), filled(&self.key));
        if cert.is_some_and(|pem| !is_pem(pem, &["CERTIFICATE"])) {
            faults.push(Invalid::new("cert", "is not a PEM certificate"));
        }
        if key.is_some_and(|pem| !is_pem(pem, &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"])) {
            faults.push(Invalid::new("key", "is not a PEM private key"));
        }
        match (cert, key) {
            (Some(_), None) => faults.push(Invalid::new("key", "a certificate needs its private key")),
            (None, Some(_)) => faults.push(Invalid::new("cert", "a private key needs its certificate")),
            _ => {}
        }
    }

    fn settle(&mut self) {
        if filled(&self.cert).is_none() {
            self.cert = None;
        }
        if filled(&self.key).is_none() {
            self.key = None;
        }
    }
}

/// Whether the text has a PEM block of one of the labels (RFC 7468), its body being base64.
fn is_pem(text: &str, labels: &[&str]) -> bool {
    labels.iter().any(|label| {
        let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
        let Some((_, behind)) = text.split_once(&begin) else { return false };
        let Some((body, _)) = behind.split_once(&end) else { return false };
        let body = body.trim();
        !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=\r\n\t -:,".contains(&b))
    })
}
