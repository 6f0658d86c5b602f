//! The workloads: what is asked, what must come back, and what Tidegate is configured with. Plain data; nothing here
//! starts or measures anything.

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
}

/// What `small-get` answers; its length is part of the workload's definition.
pub(crate) const SMALL_BODY: &str =
    r#"{"id":4711,"name":"a small answer","tags":["tide","gate"],"in_stock":true,"price":19.90,"left":1234}"#;
/// Length of the large answer, in bytes.
pub(crate) const LARGE_BODY: usize = 64 * 1024;
/// Length of the posted body, in bytes.
pub(crate) const POSTED_BODY: usize = 16 * 1024;
/// What a post is answered with.
pub(crate) const POSTED_ANSWER: &str = "taken\n";
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
    pub(crate) answer: Vec<u8>,
}

/// The large answer: text that does not repeat within a block, so that a piece put in the wrong place is noticed.
pub(crate) fn large_body() -> Vec<u8> {
    (0u32..).flat_map(|n| format!("{n:07}\n").into_bytes()).take(LARGE_BODY).collect()
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
        }
    }

    /// Connections, where the workload has its own number.
    pub(crate) fn connections(self, asked: u32) -> u32 {
        if self == Self::Connections2000 { 2_000 } else { asked }
    }

    /// What is asked of Tidegate, and of peers alike.
    pub(crate) fn exchange(self) -> Exchange {
        let (method, path, host, body, answer) = match self {
            Self::SmallGet | Self::Modifier | Self::Connections2000 => {
                ("GET", "/small".to_owned(), "gateway.example".to_owned(), Vec::new(), SMALL_BODY.into())
            }
            Self::Body64k => ("GET", "/large".into(), "gateway.example".into(), Vec::new(), large_body()),
            Self::Post16k => {
                let body = vec![b'x'; POSTED_BODY];
                ("POST", "/post".into(), "gateway.example".into(), body, POSTED_ANSWER.into())
            }
            Self::Routes10k => {
                let path = format!("/small/{}", ROUTES_PER_DOMAIN / 2);
                ("GET", path, domain(DOMAINS / 2), Vec::new(), SMALL_BODY.into())
            }
        };
        Exchange { method, path, host, body, answer }
    }

    /// The wrk script: the request if wrk's own arguments cannot say it, and the result as one line of JSON, which is
    /// exact where wrk's own text is rounded.
    pub(crate) fn script(self) -> String {
        let exchange = self.exchange();
        let body = match exchange.body.len() {
            0 => String::new(),
            length => format!("wrk.body = string.rep(\"x\", {length})\n"),
        };
        format!(
            "wrk.method = \"{}\"\nwrk.headers[\"Host\"] = \"{}\"\n{body}{}",
            exchange.method,
            exchange.host,
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
            ["small-get", "body-64k", "post-16k", "routes-10k", "modifier", "connections-2000"]
        );
        assert!(Workload::Post16k.script().contains("wrk.body"));
        assert_eq!(Workload::Routes10k.exchange().host, "shop-050.example");
    }
}
