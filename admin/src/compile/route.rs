//! A stored route and what was built from it. It is built again when it was written or when its service or a script is a
//! new one, and keeps its key and slot through all of that.

use super::pipeline;
use super::response;
use super::shelf::Shelf;
use crate::resource::{self, Selection};
use std::collections::BTreeSet;
use std::sync::Arc;
use tidegate_snapshot::{DirectResponse, MethodSet, PathPattern, Pipeline, Route, Service};

/// A route of a namespace.
pub(super) struct RouteEntry {
    pub(super) key: Arc<str>,
    pub(super) slot: u32,
    /// The stored text, which is also what modules see.
    pub(super) text: Arc<str>,
    /// What the text says, or why it cannot be used.
    pub(super) meaning: Result<Meaning, String>,
    pub(super) built: Option<Arc<Route>>,
}

/// What a route's text says.
pub(super) struct Meaning {
    pub(super) written: resource::Route,
    pub(super) patterns: Vec<PathPattern>,
    pub(super) methods: MethodSet,
    /// What it answers by itself.
    pub(super) response: Option<Arc<DirectResponse>>,
    /// Its modules, or which entry cannot be read.
    pub(super) list: Result<Vec<Selection>, String>,
    /// The modules that want a script, once it was found out.
    pub(super) wants: Option<BTreeSet<String>>,
    /// What they came to, once it was found out; none for a route without modules.
    pub(super) pipeline: Option<Result<Option<Arc<Pipeline>>, String>>,
}

impl Meaning {
    /// Reads a stored text.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let written: resource::Route = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let patterns = written
            .paths
            .iter()
            .map(|path| path.parse().map_err(|e| format!("path '{path}': {e}")))
            .collect::<Result<_, String>>()?;
        let methods = if written.methods.iter().any(|method| method == "*") {
            MethodSet::any()
        } else {
            written.methods.iter().map(String::as_str).collect()
        };
        let list = written.modules.iter().map(|entry| entry.parse()).collect();
        let response = written.response.as_ref().map(|written| Arc::new(response::build(written)));
        Ok(Self { written, patterns, methods, response, list, wants: None, pipeline: None })
    }

    /// Finds out what its modules come to. If that is what it was, it stays the same object.
    pub(super) fn arrange(&mut self, namespace: &str, shelf: &Shelf<'_>) {
        let now = self.list.as_ref().map_err(String::clone).and_then(|list| {
            let stages = pipeline::plan(list, shelf)?;
            pipeline::build(namespace, &stages, |module| shelf.script(module))
        });
        if let (Some(Ok(Some(before))), Ok(Some(now))) = (&self.pipeline, &now)
            && pipeline::same(before, now)
        {
            return;
        }
        self.pipeline = Some(now.map(|pipeline| pipeline.map(Arc::new)));
    }
}

fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl RouteEntry {
    /// Brings `built` up to date; answers whether it changed. A route that lacks something it names is built without
    /// either, so that it answers 501: its requests must not go to a broader route, past the module that guards it.
    pub(super) fn build(
        &mut self,
        namespace: &Arc<str>,
        max_body_bytes: u64,
        service: Option<&Arc<Service>>,
        pipeline: Option<Arc<Pipeline>>,
    ) -> bool {
        let Ok(meaning) = &self.meaning else {
            return self.built.take().is_some();
        };
        if let Some(built) = &self.built
            && Arc::ptr_eq(&built.description, &self.text)
            && same(built.service.as_ref(), service)
            && same(built.pipeline.as_ref(), pipeline.as_ref())
        {
            return false;
        }
        let written = &meaning.written;
        self.built = Some(Arc::new(Route {
            slot: self.slot,
            key: self.key.clone(),
            namespace: namespace.clone(),
            description: self.text.clone(),
            methods: meaning.methods.clone(),
            preserve_host: written.preserve_host,
            strip_path: written.strip_path,
            allow_encoded_slash: written.allow_encoded_slash,
            service: service.cloned(),
            response: meaning.response.clone(),
            pipeline,
            max_body_bytes: written.max_body_bytes.unwrap_or(max_body_bytes),
        }));
        true
    }
}
