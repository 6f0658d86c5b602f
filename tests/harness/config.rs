//! The configuration file of a test's gateway, as JSON.

use serde_json::{Map, Value, json};

/// A configuration that grows.
pub struct Config {
    proxy: Map<String, Value>,
    lists: Map<String, Value>,
}

/// A service with the urls, without retries, and patient.
pub fn service(name: &str, urls: &[String]) -> Value {
    json!({"name": name, "urls": urls, "retries": 0, "connectTimeout": "5s", "requestTimeout": "20s"})
}

/// A route of a service for any method.
pub fn route(name: &str, path: &str) -> Value {
    json!({"name": name, "paths": [path], "methods": ["*"], "service": name})
}

impl Config {
    /// Without resources.
    pub fn new() -> Self {
        Self { proxy: Map::new(), lists: Map::new() }
    }

    /// Sets a key of the section `proxy`.
    pub fn proxy(mut self, key: &str, value: Value) -> Self {
        self.proxy.insert(key.into(), value);
        self
    }

    /// Adds a resource to one of the lists of `init_resources`.
    pub fn add(mut self, list: &str, mut resource: Value) -> Self {
        if list != "namespaces" && resource.get("namespace").is_none() {
            resource["namespace"] = json!("default");
        }
        let list = self.lists.entry(list).or_insert_with(|| json!([]));
        list.as_array_mut().expect("a list").push(resource);
        self
    }

    /// `/name` and everything below it goes to the urls, path unchanged. `more` is laid over the service.
    pub fn serve_with(self, name: &str, urls: &[String], more: Value) -> Self {
        let mut service = service(name, urls);
        lay(&mut service, more);
        let mut both = route(name, &format!("/{name}/*"));
        both["paths"] = json!([format!("/{name}"), format!("/{name}/*")]);
        self.add("services", service).add("routes", both)
    }

    /// The same as it is.
    pub fn serve(self, name: &str, url: String) -> Self {
        self.serve_with(name, &[url], json!({}))
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut proxy = self.proxy.clone();
        proxy.insert("init_resources".into(), Value::Object(self.lists.clone()));
        json!({"version": "v1", "proxy": proxy, "admin": {"port": 0, "host": "127.0.0.1"}}).to_string()
    }
}

fn lay(under: &mut Value, over: Value) {
    for (key, value) in over.as_object().into_iter().flatten() {
        under[key] = value.clone();
    }
}
