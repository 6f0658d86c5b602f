//! The workloads: what is asked, what must come back, and what Tidegate is configured with. Plain data; nothing here
//! starts or measures anything.

use crate::scripts::{RESPONSE_FIELD, Script};
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
    /// The small GET; Tidegate has 10,000 routes over 100 domains, its peers one
    #[value(name = "routes-10k")]
    Routes10k,
    /// The small GET; Tidegate runs a TypeScript module that sets a header, its peers nothing
    Modifier,
    /// The small GET over 2,000 connections
    #[value(name = "connections-2000")]
    Connections2000,
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

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) host: String,
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
            Self::Routes10k => {
                "GET, 100-byte answer; Tidegate with 10,000 routes over 100 domains, peers with one"
            }
            Self::Modifier => {
                "GET, 100-byte answer; Tidegate with a one-header TypeScript module, peers without"
            }
            Self::Connections2000 => "GET, 100-byte answer, 2,000 connections",
            Self::ScriptBaseline => "GET, 100-byte answer, no script",
            Self::ScriptEmpty => "GET, 100-byte answer, a script that does nothing",
            Self::ScriptHeader => "GET, 100-byte answer, a script sets one request header",
            Self::ScriptBoth => "GET, 100-byte answer, a script sets one request and one response header",
            Self::ScriptJson => "GET of 1 KiB of JSON, a script parses it, changes a number, writes it",
            Self::ScriptCache => "GET, 100-byte answer, a script reads one cached value",
            Self::ScriptDocument => "GET, 100-byte answer, a script reads one document",
        }
    }

    /// Connections, where the workload has its own number.
    pub(crate) fn connections(self, asked: u32) -> u32 {
        if self == Self::Connections2000 { 2_000 } else { asked }
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

    /// What is asked of Tidegate, and of peers alike.
    pub(crate) fn exchange(self) -> Exchange {
        let get = |path: &str, answer: Vec<u8>| Exchange {
            method: "GET",
            path: path.into(),
            host: "gateway.example".into(),
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
                ..get(&format!("/small/{}", ROUTES_PER_DOMAIN / 2), SMALL_BODY.into())
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
}

impl Exchange {
    /// The wrk script: the request if wrk's own arguments cannot say it, and the result as one line of JSON, which is
    /// exact where wrk's own text is rounded.
    pub(crate) fn load_script(&self) -> String {
        let body = match self.body.len() {
            0 => String::new(),
            length => format!("wrk.body = string.rep(\"x\", {length})\n"),
        };
        format!(
            "wrk.method = \"{}\"\nwrk.headers[\"Host\"] = \"{}\"\n{body}{}",
            self.method,
            self.host,
            crate::wrk::REPORT
        )
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
            names,
            [
                "small-get",
                "body-64k",
                "post-16k",
                "routes-10k",
                "modifier",
                "connections-2000",
                "script-baseline",
                "script-empty",
                "script-header",
                "script-both",
                "script-json",
                "script-cache",
                "script-document"
            ]
        );
        assert!(Workload::Post16k.exchange().load_script().contains("wrk.body"));
        assert_eq!(Workload::Routes10k.exchange().host, "shop-050.example");
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
