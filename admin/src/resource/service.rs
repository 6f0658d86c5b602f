//! A service as it was written: the upstream's urls and how to call them. It names urls, it never resolves them.

use super::{Resource, Timespan, name, url};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An upstream: one or more urls that answer alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// Unique name within the namespace.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Where the upstream listens, `http://host[:port][/path]`; at least one.
    #[schemars(length(min = 1, max = 256))]
    pub urls: Vec<String>,
    /// Attempts after the first.
    #[serde(default = "retries")]
    #[schemars(range(max = 100))]
    pub retries: u32,
    /// Pause before each retry.
    #[serde(default = "retry_timeout")]
    pub retry_timeout: Timespan,
    /// Bound on establishing a connection.
    #[serde(default = "connect_timeout")]
    pub connect_timeout: Timespan,
    /// Bound on the whole exchange until the response's head, retries included.
    #[serde(default = "request_timeout")]
    pub request_timeout: Timespan,
    /// Accept any certificate of the upstream.
    #[serde(default)]
    pub tls_skip_verify: bool,
    /// Speak only HTTP/2 to the upstream.
    #[serde(default)]
    pub http2_only: bool,
    /// Do not add the gateway's own response fields.
    #[serde(default, rename = "hideDGateHeaders")]
    pub hide_dgate_headers: bool,
    /// Do not forward the query.
    #[serde(default)]
    pub disable_query_params: bool,
    /// Labels; `#name:data`, `!name:data`, `?name:a,b` and `?*name:a,b` choose the nodes that run it.
    #[serde(default)]
    pub tags: Vec<String>,
}

fn retries() -> u32 {
    3
}
fn retry_timeout() -> Timespan {
    Timespan::from_millis(5_000)
}
fn connect_timeout() -> Timespan {
    Timespan::from_millis(1_000)
}
fn request_timeout() -> Timespan {
    Timespan::from_millis(5_000)
}

/// Longest of the three durations.
const LONGEST: Timespan = Timespan::from_millis(24 * 3_600 * 1_000);

impl Resource for Service {
    const KIND: Kind = Kind::Service;

    fn key(&self) -> Key {
        name::key(Self::KIND, &self.namespace, &self.name)
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check("name", &self.name, faults);
        name::check("namespace", &self.namespace, faults);
        name::check_tags(&self.tags, faults);
        for (at, text) in self.urls.iter().enumerate() {
            if let Err(why) = url::check(text) {
                faults.push(Invalid::new(format!("urls[{at}]"), why));
            } else if self.urls[..at].contains(text) {
                faults.push(Invalid::new(format!("urls[{at}]"), "this url stands twice"));
            }
        }
        for (at, bound, may_be_zero) in [
            ("retryTimeout", self.retry_timeout, true),
            ("connectTimeout", self.connect_timeout, false),
            ("requestTimeout", self.request_timeout, false),
        ] {
            if bound > LONGEST {
                faults.push(Invalid::new(at, "is longer than 24h"));
            } else if bound.0.is_zero() && !may_be_zero {
                faults.push(Invalid::new(at, "must be longer than 0: no call could succeed"));
            }
        }
        if self.http2_only {
            faults.push(Invalid::new(
                "http2Only",
                "HTTP/2 to upstreams comes with a later version: leave it out",
            ));
        }
    }
}
