//! The workloads: what is asked over which transport, what must come back, and what stands beside it for comparison.
//! Plain data; nothing here starts or measures anything.

use crate::peer::Peer;
use crate::scripts::{RESPONSE_FIELD, Script};
use crate::session;
use clap::ValueEnum;

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// GET of about 100 bytes
    SmallGet,
    /// GET of 64 KiB
    #[value(name = "body-64k")]
    Body64k,
    /// POST of 16 KiB, short answer
    #[value(name = "post-16k")]
    Post16k,
    /// The small GET over 2,000 connections
    #[value(name = "connections-2000")]
    Connections2000,
    /// The small GET over TLS 1.3 connections that are kept
    HttpsGet,
    /// The small GET, each over a TLS 1.3 connection of its own: a full handshake, nothing resumed
    HttpsNew,
    /// The small GET, each over a connection of its own
    NewConnections,
    /// The small GET over HTTP/2 with TLS, 8 connections of 32 streams
    Http2,
    /// The same in the clear, with prior knowledge
    Http2Cleartext,
    /// The small GETs of 10,000 routes over 100 domains, one after another; beside it the same with one route
    #[value(name = "routes-10k")]
    Routes10k,
    /// The small answer is the gateway's own: no upstream
    DirectResponse,
    /// A JWT in a cookie is verified, its subject told to the service that the path chooses
    Jwt,
    /// The small GET at a fixed rate (open loop): what a gateway adds to the latency of the service itself
    FixedRate,
    /// The `jwt` workload at a fixed rate
    JwtFixedRate,
    /// The small GET; Tidegate runs a TypeScript module that sets a header, its peers nothing
    Modifier,
    /// The small GET, every product without a script
    ScriptBaseline,
    /// The small GET through a script that does nothing
    ScriptEmpty,
    /// The small GET; a script sets one field of the request
    ScriptHeader,
    /// The small GET; a script sets one field of the request and one of the response
    ScriptBoth,
    /// GET of 1 KiB of JSON; a script parses it, changes a number, writes it
    ScriptJson,
    /// The small GET; a script reads one value of a cache
    ScriptCache,
    /// The small GET; a script reads one stored document
    ScriptDocument,
}

const FROM_DUE: &str = "latencies are from when a request was due, whatever kept it waiting (open loop)";

/// What is measured when nothing is asked for.
pub(crate) const DEFAULT: [Workload; 16] = [
    Workload::SmallGet,
    Workload::Body64k,
    Workload::Post16k,
    Workload::Connections2000,
    Workload::NewConnections,
    Workload::Routes10k,
    Workload::DirectResponse,
    Workload::ScriptHeader,
    Workload::ScriptBoth,
    Workload::Jwt,
    Workload::FixedRate,
    Workload::JwtFixedRate,
    Workload::HttpsGet,
    Workload::HttpsNew,
    Workload::Http2,
    Workload::Http2Cleartext,
];

/// The workloads whose figure is what a script costs.
pub(crate) const SCRIPTED: [Workload; 6] = [
    Workload::ScriptEmpty,
    Workload::ScriptHeader,
    Workload::ScriptBoth,
    Workload::ScriptJson,
    Workload::ScriptCache,
    Workload::ScriptDocument,
];

/// What `small-get` answers; its length is part of the workload's definition.
pub(crate) const SMALL_BODY: &str =
    r#"{"id":4711,"name":"a small answer","tags":["tide","gate"],"in_stock":true,"price":19.90,"left":1234}"#;
/// Length of the large answer, in bytes.
pub(crate) const LARGE_BODY: usize = 64 * 1024;
/// Length of the posted body, in bytes.
pub(crate) const POSTED_BODY: usize = 16 * 1024;
/// Length of the JSON text of `script-json`, in bytes.
pub(crate) const JSON_BODY: usize = 1024;
/// The host that is asked for, where a workload has no other.
pub(crate) const HOST: &str = "gateway.example";
/// What a post is answered with.
pub(crate) const POSTED_ANSWER: &str = "taken\n";
/// Where the upstream answers only requests that carry [`crate::scripts::REQUEST_FIELD`]; as long as `/small`.
pub(crate) const STAMPED: &str = "/stamp";
/// The number in the JSON text that scripts take one from.
pub(crate) const JSON_LEFT: u32 = 1234;
/// Domains of `routes-10k`.
pub(crate) const DOMAINS: usize = 100;
/// Routes of each of those domains.
pub(crate) const ROUTES_PER_DOMAIN: usize = 100;
/// The module of `modifier`.
pub(crate) const MODULE: &str = "export function requestModifier(ctx: any): void {\n  \
                                 ctx.request().headers.set(\"X-Modified-By\", \"tidegate\");\n}\n";

/// What a gateway listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// HTTP/1.1 in the clear.
    Plain,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS, chosen by ALPN.
    Http2,
    /// HTTP/2 in the clear, with prior knowledge (RFC 9113 section 3.3).
    Http2Cleartext,
}

impl Transport {
    pub(crate) fn tls(self) -> bool {
        matches!(self, Self::Tls | Self::Http2)
    }

    pub(crate) fn http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2Cleartext)
    }
}

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) host: String,
    /// Further fields of the request.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// Each request has a connection of its own.
    pub(crate) close: bool,
    /// The load does not ask for this path alone but for those of all 10,000 routes in turn.
    pub(crate) all_routes: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) answer: Answer,
    /// A field of the answer that must be there, with its value.
    pub(crate) field: Option<(&'static str, &'static str)>,
}

/// The body that must come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// These bytes.
    Bytes(Vec<u8>),
    /// As many bytes, of the same JSON value: Lua's tables do not keep the order of keys.
    Json(Vec<u8>),
}

/// The large answer: text that does not repeat within a block, so that a piece put in the wrong place is noticed.
pub(crate) fn large_body() -> Vec<u8> {
    (0u32..).flat_map(|n| format!("{n:07}\n").into_bytes()).take(LARGE_BODY).collect()
}

/// The JSON text of `script-json`: objects in an array, no character that an encoder might write in another way.
pub(crate) fn json_body(left: u32) -> String {
    let items: Vec<String> = (0..12)
        .map(|n| format!(r#"{{"sku":"item-{n:04}","count":{},"price":{},"open":true}}"#, n + 1, n * 25 + 5))
        .collect();
    let text =
        |note: &str| format!(r#"{{"id":4711,"left":{left},"items":[{}],"note":"{note}"}}"#, items.join(","));
    text(&"n".repeat(JSON_BODY.saturating_sub(text("").len())))
}

/// Name of one of the 100 domains.
pub(crate) fn domain(n: usize) -> String {
    format!("shop-{n:03}.example")
}

impl Workload {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no workload is hidden").get_name().to_owned()
    }

    /// One line for a reader of the table.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::SmallGet => "GET, 100-byte answer",
            Self::Body64k => "GET, 64 KiB answer",
            Self::Post16k => "POST of 16 KiB",
            Self::Connections2000 => "GET, 100-byte answer, 2,000 connections",
            Self::HttpsGet => "GET, 100-byte answer, HTTPS (TLS 1.3), connections kept",
            Self::HttpsNew => "GET, 100-byte answer, HTTPS, a full TLS 1.3 handshake per request",
            Self::NewConnections => "GET, 100-byte answer, a new connection per request",
            Self::Http2 => "GET, 100-byte answer, HTTP/2 over TLS, 8 connections of 32 streams",
            Self::Http2Cleartext => "GET, 100-byte answer, HTTP/2 in the clear, 8 connections of 32 streams",
            Self::Routes10k => "GET, 100-byte answer, 10,000 routes over 100 domains asked in turn",
            Self::DirectResponse => "GET, 100-byte answer of the gateway itself, no upstream",
            Self::Jwt => {
                "GET, JWT in a cookie verified, then proxied by path; direct: the service without a gateway"
            }
            Self::FixedRate => "GET, 100-byte answer, at a fixed rate; direct: the service without a gateway",
            Self::JwtFixedRate => {
                "GET, JWT in a cookie verified, at a fixed rate; direct: the service without a gateway"
            }
            Self::Modifier => {
                "GET, 100-byte answer; Tidegate with a one-header TypeScript module, peers without"
            }
            Self::ScriptBaseline => "GET, 100-byte answer, no script",
            Self::ScriptEmpty => "GET, 100-byte answer, a script that does nothing",
            Self::ScriptHeader => "GET, 100-byte answer, a script sets one request header",
            Self::ScriptBoth => "GET, 100-byte answer, a script sets one request and one response header",
            Self::ScriptJson => "GET of 1 KiB of JSON, a script parses it, changes a number, writes it",
            Self::ScriptCache => "GET, 100-byte answer, a script reads one cached value",
            Self::ScriptDocument => "GET, 100-byte answer, a script reads one document",
        }
    }

    /// What Tidegate does in another way than its name says, for the report.
    pub(crate) fn remark(self) -> Option<&'static str> {
        match self {
            Self::DirectResponse => {
                Some("Tidegate answers from its route's response; DGate from a module's requestHandler")
            }
            Self::FixedRate => Some(FROM_DUE),
            Self::JwtFixedRate => Some(FROM_DUE),
            Self::Jwt => Some(
                "HS256. Tidegate: a TypeScript module with verifyJwt; nginx: njs; HAProxy: jwt_verify; Envoy: jwt_authn",
            ),
            Self::NewConnections => {
                Some("latencies are from the request on, without the connection's making")
            }
            Self::HttpsNew => Some("latencies are of everything, from the connection's making to its end"),
            _ => None,
        }
    }

    /// Connections, where the workload has its own number.
    pub(crate) fn connections(self, asked: u32) -> u32 {
        match self {
            Self::Connections2000 => 2_000,
            Self::Http2 | Self::Http2Cleartext => 8,
            _ => asked,
        }
    }

    pub(crate) fn transport(self) -> Transport {
        match self {
            Self::HttpsGet | Self::HttpsNew => Transport::Tls,
            Self::Http2 => Transport::Http2,
            Self::Http2Cleartext => Transport::Http2Cleartext,
            _ => Transport::Plain,
        }
    }

    /// Who is measured beside Tidegate if nobody is named.
    pub(crate) fn peers(self) -> &'static [Peer] {
        match self {
            Self::Jwt | Self::JwtFixedRate => &[
                Peer::NginxNjs,
                Peer::Haproxy,
                Peer::Envoy,
                Peer::Traefik,
                Peer::Caddy,
                Peer::Pingora,
                Peer::Dgate,
            ],
            Self::ScriptBaseline => &[Peer::NginxNjs, Peer::NginxLua, Peer::HaproxyLua, Peer::Dgate],
            _ if self.script().is_some() => &[Peer::NginxNjs, Peer::NginxLua, Peer::HaproxyLua, Peer::Dgate],
            _ => &[
                Peer::Nginx,
                Peer::Haproxy,
                Peer::Envoy,
                Peer::Traefik,
                Peer::Caddy,
                Peer::Pingora,
                Peer::Dgate,
            ],
        }
    }

    /// The script that everyone runs, in workloads that have one.
    pub(crate) fn script(self) -> Option<Script> {
        match self {
            Self::ScriptEmpty => Some(Script::Empty),
            Self::ScriptHeader => Some(Script::Header),
            Self::ScriptBoth => Some(Script::Both),
            Self::ScriptJson => Some(Script::Json),
            Self::ScriptCache => Some(Script::Cache),
            Self::ScriptDocument => Some(Script::Document),
            _ => None,
        }
    }

    /// Whether requests are due at a fixed rate, which no answer changes.
    pub(crate) fn paced(self) -> bool {
        matches!(self, Self::FixedRate | Self::JwtFixedRate)
    }

    /// Whether the token of `session` is verified.
    pub(crate) fn session(self) -> bool {
        matches!(self, Self::Jwt | Self::JwtFixedRate)
    }

    /// What the same product is also measured without, next to it in every round: what the plain run is called, and
    /// the difference.
    pub(crate) fn beside(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Routes10k => Some(("one route", "10,000 cost")),
            _ => self.script().map(|_| ("without script", "the call")),
        }
    }

    /// What is asked of Tidegate, and of peers alike.
    pub(crate) fn exchange(self) -> Exchange {
        let get = |path: &str, answer: Vec<u8>| Exchange {
            method: "GET",
            path: path.into(),
            host: HOST.into(),
            fields: Vec::new(),
            close: false,
            all_routes: false,
            body: Vec::new(),
            answer: Answer::Bytes(answer),
            field: None,
        };
        match self {
            Self::Body64k => get("/large", large_body()),
            Self::Post16k => Exchange {
                method: "POST",
                body: vec![b'x'; POSTED_BODY],
                ..get("/post", POSTED_ANSWER.into())
            },
            Self::Routes10k => Exchange {
                host: domain(DOMAINS / 2),
                all_routes: true,
                ..get(&format!("/small/{}", ROUTES_PER_DOMAIN / 2), SMALL_BODY.into())
            },
            Self::HttpsNew | Self::NewConnections => {
                Exchange { close: true, ..get("/small", SMALL_BODY.into()) }
            }
            Self::Jwt | Self::JwtFixedRate => Exchange {
                fields: vec![session::cookie(session::TOKEN)],
                ..get(session::PATH, SMALL_BODY.into())
            },
            Self::ScriptHeader => get(STAMPED, SMALL_BODY.into()),
            Self::ScriptBoth => Exchange { field: Some(RESPONSE_FIELD), ..get(STAMPED, SMALL_BODY.into()) },
            Self::ScriptJson => {
                let answer = Answer::Json(json_body(JSON_LEFT - 1).into_bytes());
                Exchange { answer, ..get("/items", Vec::new()) }
            }
            _ => get("/small", SMALL_BODY.into()),
        }
    }

    /// The same request and answer without the script: what is left is what the gateway costs without it.
    pub(crate) fn without_script(self) -> Exchange {
        match self {
            Self::ScriptHeader | Self::ScriptBoth => Self::SmallGet.exchange(),
            Self::ScriptJson => {
                let answer = Answer::Bytes(json_body(JSON_LEFT).into_bytes());
                Exchange { answer, ..self.exchange() }
            }
            _ => self.exchange(),
        }
    }

    /// What the service itself is asked, in workloads that are compared with calling it without a gateway: the same,
    /// with what the gateway would have told it.
    pub(crate) fn without_gateway(self) -> Option<Exchange> {
        let mut exchange = (self.session() || self.paced()).then(|| self.exchange())?;
        if self.session() {
            exchange.fields.push((session::USER_FIELD, session::USER.into()));
        }
        Some(exchange)
    }

    /// A request that has to be refused with 401, in workloads that let through only some.
    pub(crate) fn refused(self) -> Option<Exchange> {
        let mut exchange = self.session().then(|| self.exchange())?;
        exchange.fields =
            vec![session::cookie(&session::forged()), (session::USER_FIELD, session::USER.into())];
        Some(exchange)
    }
}

impl Exchange {
    /// Fields of the request besides its length, the name of the host first.
    pub(crate) fn header(&self) -> Vec<(&'static str, String)> {
        let close = self.close.then(|| ("Connection", "close".to_owned()));
        [("Host", self.host.clone())].into_iter().chain(self.fields.clone()).chain(close).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_what_they_are_called() {
        assert_eq!(SMALL_BODY.len(), 100);
        assert_eq!(large_body().len(), LARGE_BODY);
        let names: Vec<String> = Workload::value_variants().iter().map(|workload| workload.name()).collect();
        assert_eq!(
            names.join(" "),
            "small-get body-64k post-16k connections-2000 https-get https-new new-connections http2 http2-cleartext \
             routes-10k direct-response jwt fixed-rate jwt-fixed-rate modifier script-baseline script-empty script-header script-both \
             script-json script-cache script-document"
        );
        assert_eq!(Workload::Routes10k.exchange().host, "shop-050.example");
    }

    #[test]
    fn a_direct_call_brings_what_the_gateway_would_have_found_out() {
        let direct = Workload::Jwt.without_gateway().expect("a direct call");
        assert!(direct.fields.contains(&(session::USER_FIELD, session::USER.into())));
        assert!(Workload::Jwt.refused().expect("a forged token").fields[0].1 != direct.fields[0].1);
        assert_eq!(Workload::SmallGet.without_gateway(), None);
        assert_eq!(
            Workload::NewConnections.exchange().header().last(),
            Some(&("Connection", "close".into()))
        );
    }

    #[test]
    fn without_its_script_a_workload_asks_as_much() {
        assert_eq!(json_body(JSON_LEFT).len(), JSON_BODY);
        for workload in SCRIPTED {
            assert!(workload.script().is_some(), "{workload:?}");
            let (with, without) = (workload.exchange(), workload.without_script());
            assert_eq!(with.path.len(), without.path.len(), "{workload:?}");
            assert_eq!((with.method, with.host, with.body), (without.method, without.host, without.body));
        }
    }
}
