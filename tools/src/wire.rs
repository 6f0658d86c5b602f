//! The HTTP client: sends one request, follows a leader's redirect when it was asked to, and hands back status, fields
//! and JSON. No redirect is followed by the library, no proxy is taken from the environment, and credentials go
//! nowhere that `follow` does not allow.

use crate::address::Address;
use crate::failure::{Exit, Failure};
use crate::follow;
use crate::request::Request;
use base64::Engine;
use serde_json::Value;
use std::io::{BufReader, Write};
use std::time::Duration;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES: u64 = 64 << 20;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer: a write waits for Raft and for every shard, a triggered run for its end.
const WHOLE: Duration = Duration::from_secs(90);
/// Longest silence of a stream, which says something every 15 s.
const SILENCE: Duration = Duration::from_secs(50);
/// A leader may change between two redirects, but not for ever.
const HOPS: usize = 3;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Where it came from, for messages.
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Null when the body is not JSON.
    pub(crate) json: Value,
    /// The body as text.
    pub(crate) text: String,
}

impl Answer {
    /// A field of the head, by lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a request for a stream gave.
pub(crate) enum Opened {
    /// Lines as they come.
    Lines(BufReader<ureq::BodyReader<'static>>),
    /// Something else, read to its end.
    Other(Answer),
}

/// A client of one admin API.
pub(crate) struct Wire<'a> {
    agent: ureq::Agent,
    admin: Address,
    authorization: Option<String>,
    follow: bool,
    /// Where `--verbose` writes.
    trace: Option<&'a mut dyn Write>,
}

impl<'a> Wire<'a> {
    /// `credentials` are `user:password`.
    pub(crate) fn new(
        admin: Address,
        credentials: Option<&str>,
        follow: bool,
        trace: Option<&'a mut dyn Write>,
    ) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .build();
        let authorization = credentials
            .map(|pair| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)));
        Self { agent: config.new_agent(), admin, authorization, follow, trace }
    }

    /// Sends a request and answers what came back, whatever its status.
    pub(crate) fn send(&mut self, request: &Request) -> Result<Answer, Failure> {
        let mut address = self.admin.clone();
        let mut answer = self.once(&address, request)?;
        for _ in 0..HOPS {
            if !self.follow || !matches!(answer.status, 307 | 308) {
                break;
            }
            address = follow::leader(&address, &request.target, answer.header("location"))?;
            self.admit(&address)?;
            self.note(&format!("* following to the leader at {address}\n"));
            answer = self.once(&address, request)?;
        }
        Ok(answer)
    }

    /// Whether the request, its credentials and its body may go to another address.
    fn admit(&mut self, leader: &Address) -> Result<(), Failure> {
        if leader.host() == self.admin.host() {
            return Ok(());
        }
        let members =
            self.once(&self.admin.clone(), &Request::get("/api/v1/cluster/members", "list", "the members"))?;
        if members.status == 200 && follow::names_host(&members.json, leader.host()) {
            return Ok(());
        }
        Err(Failure::new(Exit::Refused, "the redirect leads to a host that is no member of the cluster")
            .at(leader.to_string())
            .why("your credentials and data would be sent to it")
            .hint(format!("if you trust it, name it yourself: --admin {leader}")))
    }

    /// Sends a request whose answer goes on without end. No redirect is followed.
    pub(crate) fn open(&mut self, request: &Request) -> Result<Opened, Failure> {
        let url = self.admin.url(&request.target);
        let (head, body) = self.begin(&url, request, true)?;
        let is_stream = head.headers.get("content-type").is_some_and(|kind| kind == "application/x-ndjson");
        if head.status == 200 && is_stream {
            return Ok(Opened::Lines(BufReader::new(body.into_reader())));
        }
        self.finish(url, head, body).map(Opened::Other)
    }

    fn once(&mut self, address: &Address, request: &Request) -> Result<Answer, Failure> {
        let url = address.url(&request.target);
        let (head, body) = self.begin(&url, request, false)?;
        self.finish(url, head, body)
    }

    fn begin(
        &mut self,
        url: &str,
        request: &Request,
        is_stream: bool,
    ) -> Result<(ureq::http::response::Parts, ureq::Body), Failure> {
        let mut head = ureq::http::Request::builder()
            .method(request.method)
            .uri(url)
            .header("accept", "application/json");
        if let Some(authorization) = &self.authorization {
            head = head.header("authorization", authorization);
        }
        self.note(&format!("> {} {url}\n", request.method));
        let sent = match &request.body {
            Some(body) => head
                .header("content-type", "application/json")
                .body(body.to_string())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
            None => head.body(()).map_err(ureq::Error::from).and_then(|request| {
                if !is_stream {
                    return self.agent.run(request);
                }
                let config = self.agent.configure_request(request).timeout_global(None);
                self.agent.run(config.timeout_per_read(Some(SILENCE)).build())
            }),
        };
        Ok(sent.map_err(|error| unreachable(url, &error))?.into_parts())
    }

    fn finish(
        &mut self,
        url: String,
        head: ureq::http::response::Parts,
        mut body: ureq::Body,
    ) -> Result<Answer, Failure> {
        let bytes = body.with_config().limit(ANSWER_BYTES).read_to_vec();
        let bytes = bytes.map_err(|error| unreachable(&url, &error))?;
        self.note(&format!("< {} ({} bytes)\n", head.status, bytes.len()));
        let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(|(name, value)| (name.as_str().into(), text(value))).collect(),
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            url,
        })
    }

    fn note(&mut self, line: &str) {
        if let Some(trace) = &mut self.trace {
            // A closed error stream is no reason not to do what was asked.
            let _ = trace.write_all(line.as_bytes());
        }
    }
}

fn unreachable(url: &str, error: &ureq::Error) -> Failure {
    let (what, hint) = match error {
        ureq::Error::Timeout(_) => {
            ("the admin API did not answer in time", "try again, or look at the node's log")
        }
        ureq::Error::HostNotFound => {
            ("the host of the admin API has no address", "check --admin for a typing error")
        }
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
            ("what answers there does not speak HTTP/1.1", "check host and port of --admin")
        }
        ureq::Error::BodyExceedsLimit(_) => {
            ("the answer is too large", "list less at a time, with limit= and offset=")
        }
        _ => (
            "the admin API cannot be reached",
            "check that the gateway runs, and that --admin (or TIDEGATE_ADMIN_API) names its admin port",
        ),
    };
    Failure::new(Exit::Unreachable, what).at(url).why(error.to_string()).hint(hint)
}
