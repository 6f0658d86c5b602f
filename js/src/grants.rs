//! Permissions of a module: what of the world outside it may reach. A name that is not granted is an error that says which
//! permission is missing and how to grant it. The list holds for a module and for everything it imports.

use std::fmt;

/// What a module may do when it says nothing: what modules of DGate 1 use.
pub const DEFAULT_PERMISSIONS: [&str; 4] = ["net:fetch", "documents:read", "documents:write", "cache"];

/// Everything that can be granted, for messages.
const KNOWN: &str = "net:fetch[:HOST], net:private, documents:read[:COLLECTION], documents:write[:COLLECTION], cache, \
                     secrets[:NAME], env[:NAME]";

/// Which names of a kind are granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Names {
    #[default]
    None,
    Only(Vec<String>),
    All,
}

impl Names {
    fn add(&mut self, name: Option<&str>) {
        match (name, &mut *self) {
            (None, names) => *names = Names::All,
            (Some(_), Names::All) => {}
            (Some(name), Names::Only(list)) => list.push(name.to_owned()),
            (Some(name), names) => *names = Names::Only(vec![name.to_owned()]),
        }
    }

    fn has(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Names::None => false,
            Names::Only(list) => list.iter().any(|name| matches(name)),
            Names::All => true,
        }
    }
}

/// A permission that a module lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing(name) = self;
        write!(f, "the module lacks the permission '{name}': add it to the module's 'permissions'")
    }
}

/// A parsed list of permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    fetch: Names,
    private: bool,
    documents_read: Names,
    documents_write: Names,
    cache: bool,
    secrets: Names,
    env: Names,
}

impl Grants {
    /// Everything: for checks and for trying a module out.
    pub fn all() -> Grants {
        Grants {
            fetch: Names::All,
            private: true,
            documents_read: Names::All,
            documents_write: Names::All,
            cache: true,
            secrets: Names::All,
            env: Names::All,
        }
    }

    /// Reads a list. Errors: index of the entry, and a sentence.
    pub fn parse<S: AsRef<str>>(list: &[S]) -> Result<Grants, Vec<(usize, String)>> {
        let (mut grants, mut faults) = (Grants::default(), Vec::new());
        for (at, entry) in list.iter().enumerate() {
            if let Err(why) = grants.add(entry.as_ref()) {
                faults.push((at, why));
            }
        }
        if faults.is_empty() { Ok(grants) } else { Err(faults) }
    }

    fn add(&mut self, entry: &str) -> Result<(), String> {
        let rest_of = |prefix: &str| match entry.strip_prefix(prefix) {
            Some("") => Some(None),
            Some(rest) => rest.strip_prefix(':').filter(|name| !name.is_empty()).map(Some),
            None => None,
        };
        if let Some(host) = rest_of("net:fetch") {
            if let Some(host) = host {
                check_host(host)?;
            }
            self.fetch.add(host.map(str::to_ascii_lowercase).as_deref());
        } else if let Some(collection) = rest_of("documents:read") {
            self.documents_read.add(collection);
        } else if let Some(collection) = rest_of("documents:write") {
            self.documents_write.add(collection);
        } else if let Some(name) = rest_of("secrets") {
            self.secrets.add(name);
        } else if let Some(name) = rest_of("env") {
            self.env.add(name);
        } else {
            match entry {
                "net:private" => self.private = true,
                "cache" => self.cache = true,
                _ => return Err(format!("there is no permission '{entry}': known are {KNOWN}")),
            }
        }
        Ok(())
    }

    /// `fetch` to a host (no port, lower case).
    pub fn fetch(&self, host: &str) -> Result<(), Missing> {
        check(self.fetch.has(|granted| host_matches(granted, host)), || format!("net:fetch:{host}"))
    }

    /// `fetch` to private, loopback and link-local addresses.
    pub fn private(&self) -> bool {
        self.private
    }

    /// Reading documents of a collection.
    pub fn documents_read(&self, collection: &str) -> Result<(), Missing> {
        check(self.documents_read.has(|name| name == collection), || format!("documents:read:{collection}"))
    }

    /// Writing documents of a collection, and the collection itself.
    pub fn documents_write(&self, collection: &str) -> Result<(), Missing> {
        check(self.documents_write.has(|name| name == collection), || format!("documents:write:{collection}"))
    }

    /// The cache.
    pub fn cache(&self) -> Result<(), Missing> {
        check(self.cache, || "cache".into())
    }

    /// A secret.
    pub fn secret(&self, name: &str) -> Result<(), Missing> {
        check(self.secrets.has(|granted| granted == name), || format!("secrets:{name}"))
    }

    /// A variable of the environment.
    pub fn env(&self, name: &str) -> Result<(), Missing> {
        check(self.env.has(|granted| granted == name), || format!("env:{name}"))
    }
}

fn check(is_granted: bool, name: impl Fn() -> String) -> Result<(), Missing> {
    if is_granted { Ok(()) } else { Err(Missing(name())) }
}

/// A host as it is granted: a name, an address, or `*.` before a name, which means the names below it.
fn check_host(host: &str) -> Result<(), String> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(format!(
            "'{host}' is no host: write a name, an address, or '*.' before a name, without scheme or port"
        ));
    }
    Ok(())
}

fn host_matches(granted: &str, host: &str) -> bool {
    match granted.strip_prefix("*.") {
        Some(above) => host.strip_suffix(above).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        None => granted == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_and_what_is_not() {
        let grants = Grants::parse(&[
            "net:fetch:API.example.com",
            "net:fetch:*.internal",
            "documents:read",
            "documents:write:links",
            "secrets:key",
            "env:HOME",
        ])
        .expect("a good list");
        for host in ["api.example.com", "a.internal", "a.b.internal"] {
            assert_eq!(grants.fetch(host), Ok(()), "{host}");
        }
        for host in ["example.com", "internal", ".internal", "xinternal", "a.internal.evil.com"] {
            assert!(grants.fetch(host).is_err(), "{host}");
        }
        assert!(!grants.private());
        assert_eq!(grants.documents_read("anything"), Ok(()));
        assert_eq!(grants.documents_write("links"), Ok(()));
        let missing = grants.documents_write("users").expect_err("not granted").to_string();
        assert!(
            missing.contains("'documents:write:users'") && missing.contains("'permissions'"),
            "{missing}"
        );
        assert!(grants.cache().is_err());
        assert!(grants.secret("key").is_ok() && grants.secret("other").is_err());
        assert!(grants.env("HOME").is_ok() && grants.env("PATH").is_err());
        assert!(Grants::default().fetch("a").is_err());
    }

    #[test]
    fn lists_that_are_refused() {
        for (list, at) in [
            (vec!["net"], vec![0]),
            (vec!["cache", "net:fetch:", "secrets:"], vec![1, 2]),
            (vec!["net:fetch:https://a", "cach"], vec![0, 1]),
            (vec!["net:privately"], vec![0]),
            (vec!["documents"], vec![0]),
        ] {
            let faults = Grants::parse(&list).expect_err("refused");
            assert_eq!(faults.iter().map(|(at, _)| *at).collect::<Vec<_>>(), at, "{list:?}");
        }
        assert!(Grants::parse(&DEFAULT_PERMISSIONS).is_ok());
    }
}
