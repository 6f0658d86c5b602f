//! What a gateway is started for, and with what: the one thing that every product's configuration is written from.

use crate::Failure;
use crate::scripts::Script;
use crate::workload::{Exchange, SMALL_BODY, Transport, Workload};
use std::fs;
use std::path::{Path, PathBuf};

/// What a contestant is started for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) workload: Workload,
    /// Without what the workload is about (its script, its many routes): what the gateway costs by itself.
    pub(crate) plain: bool,
}

impl Task {
    pub(crate) fn script(self) -> Option<Script> {
        if self.plain { None } else { self.workload.script() }
    }

    /// Whether there are 10,000 routes to be told apart.
    pub(crate) fn many_routes(self) -> bool {
        !self.plain && self.workload == Workload::Routes10k
    }

    /// What is answered without an upstream, where the gateway does so.
    pub(crate) fn own_answer(self) -> Option<&'static str> {
        (self.workload == Workload::DirectResponse).then_some(SMALL_BODY)
    }

    /// Whether every request has a connection of its own. Everyone that can be told to take a connection only when it has
    /// brought its first bytes (`TCP_DEFER_ACCEPT`, tcp(7)) is told so then: it saves a wake-up each, and Tidegate does it
    /// by default.
    pub(crate) fn new_connections(self) -> bool {
        self.workload.exchange().close
    }

    /// Whether bodies are larger than what proxies best have as buffers for small ones.
    pub(crate) fn large_body(self) -> bool {
        matches!(self.workload, Workload::Body64k | Workload::Post16k)
    }

    /// Whether the token of `session` is verified.
    pub(crate) fn session(self) -> bool {
        self.workload.session()
    }

    pub(crate) fn transport(self) -> Transport {
        self.workload.transport()
    }

    pub(crate) fn exchange(self) -> Exchange {
        if self.plain { self.workload.without_script() } else { self.workload.exchange() }
    }
}

/// The certificate of every gateway in a run, self-signed: P-256, as public authorities issue by default.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// The certificate, PEM.
    pub(crate) chain: PathBuf,
    /// Its key, PEM.
    pub(crate) key: PathBuf,
    /// Both, one after the other.
    pub(crate) both: PathBuf,
}

impl Certificate {
    /// Makes one for `host` and the address that everybody listens on, as files in `dir`.
    pub(crate) fn make(host: &str, dir: &Path) -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed([host.to_owned(), "127.0.0.1".to_owned()])
            .map_err(|why| format!("no certificate: {why}"))?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            fs::write(&path, text).map_err(|why| format!("{}: {why}", path.display()))?;
            Ok::<_, Failure>(path)
        };
        Ok(Self {
            chain: write("certificate.pem", &chain)?,
            both: write("both.pem", &(chain + &key))?,
            key: write("key.pem", &key)?,
        })
    }
}

/// Everything a configuration needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) task: Task,
    /// A folder of its own, which is there.
    pub(crate) dir: &'a Path,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    /// Where the upstream listens, on 127.0.0.1.
    pub(crate) upstream: u16,
    pub(crate) certificate: &'a Certificate,
}

impl Setup<'_> {
    /// Writes a further file of the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.dir.join(name);
        fs::write(&path, text).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(path)
    }

    /// The file that the gateway is started with.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("config.yaml")
    }
}
