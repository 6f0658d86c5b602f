//! A stored service and what was built from it. It is built again when it was written or when a name of it leads
//! elsewhere, and keeps its key and slot through both.

use super::endpoint::{Addresses, Target};
use crate::resource;
use std::sync::Arc;
use tidegate_snapshot::Service;

/// A service of a namespace.
#[derive(Debug)]
pub(super) struct ServiceEntry {
    pub(super) key: Arc<str>,
    pub(super) slot: u32,
    /// The stored text, which is also what modules see.
    pub(super) text: Arc<str>,
    /// What the text says, or why it cannot be used.
    pub(super) meaning: Result<Meaning, String>,
    pub(super) built: Option<Arc<Service>>,
}

/// What a service's text says.
#[derive(Debug)]
pub(super) struct Meaning {
    written: resource::Service,
    targets: Vec<Target>,
}

impl Meaning {
    /// Reads a stored text.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let written: resource::Service = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let targets: Vec<Target> =
            written.urls.iter().map(|url| Target::of(url)).collect::<Result<_, _>>()?;
        if targets.is_empty() {
            return Err("has no url".into());
        }
        Ok(Self { written, targets })
    }

    /// The names that have to be resolved.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().filter_map(Target::name)
    }
}

impl ServiceEntry {
    /// Brings `built` up to date.
    pub(super) fn build(&mut self, addresses: &dyn Addresses) {
        let Ok(meaning) = &self.meaning else {
            self.built = None;
            return;
        };
        if let Some(built) = &self.built {
            let same = meaning.targets.iter().zip(&built.endpoints).all(|(t, e)| t.is(e, addresses));
            if same && Arc::ptr_eq(&built.description, &self.text) {
                return;
            }
        }
        let written = &meaning.written;
        self.built = Some(Arc::new(Service {
            slot: self.slot,
            key: self.key.clone(),
            description: self.text.clone(),
            endpoints: meaning.targets.iter().map(|target| target.endpoint(addresses)).collect(),
            retries: written.retries,
            retry_wait: written.retry_timeout.0,
            connect_timeout: written.connect_timeout.0,
            request_timeout: written.request_timeout.0,
            hide_gateway_headers: written.hide_dgate_headers,
            disable_query_params: written.disable_query_params,
        }));
    }
}
