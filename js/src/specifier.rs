//! Import specifiers: which name means which module. User modules are known by their bare name; the gateway's own
//! modules by two prefixes. Nothing here may look at the file system: there is none.

/// Prefix of the modules that only the prelude may import.
pub(crate) const INTERNAL: &str = "tidegate:";

/// Host modules that exist.
const HOST_MODULES: [&str; 7] = [
    "tidegate",
    "tidegate/state",
    "tidegate/crypto",
    "tidegate/storage",
    "tidegate/http",
    "tidegate/util",
    "tidegate/x",
];

/// Words that mean something else before a colon.
const SCHEMES: [&str; 9] = ["node", "npm", "jsr", "bun", "data", "blob", "file", "http", "https"];

/// What an import asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Another user module, by its bare name.
    User(String),
    /// A module of the gateway, under its `tidegate…` name.
    Host(&'static str),
    /// Cannot be imported, with the reason.
    Refused(String),
}

/// Reads a specifier as a user module may write it.
pub(crate) fn target(specifier: &str) -> Target {
    if let Some(host) = host_name(specifier) {
        if let Some(known) = HOST_MODULES.into_iter().find(|m| *m == host) {
            return Target::Host(known);
        }
        return Target::Refused(format!("there is no module '{specifier}'"));
    }
    let name = bare(specifier);
    if name.is_empty() || name.contains('\0') || name.starts_with(['.', '/']) || !has_good_version(name) {
        return Target::Refused(format!(
            "cannot import '{specifier}': modules are imported by name ('./name', 'name' or 'name:version') or from \
             'tidegate/…'"
        ));
    }
    Target::User(name.to_owned())
}

/// Whether a name has no version, or one. What other platforms mean by a word before a colon is none.
fn has_good_version(name: &str) -> bool {
    let Some((name, version)) = name.split_once(':') else { return true };
    let is_version =
        !version.is_empty() && version.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    is_version && !name.is_empty() && host_name(name).is_none() && !SCHEMES.contains(&name)
}

/// `./other.ts` → `other`. Also the key a module is found by.
pub(crate) fn bare(specifier: &str) -> &str {
    let name = specifier.strip_prefix("./").unwrap_or(specifier);
    [".ts", ".js", ".mts", ".mjs"].iter().find_map(|ext| name.strip_suffix(ext)).unwrap_or(name)
}

fn host_name(specifier: &str) -> Option<String> {
    for prefix in ["dgate", "tidegate"] {
        match specifier.strip_prefix(prefix) {
            Some("") => return Some("tidegate".into()),
            Some(rest) if rest.starts_with('/') => return Some(format!("tidegate{rest}")),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers() {
        for (written, meant) in [
            ("./other", Target::User("other".into())),
            ("other", Target::User("other".into())),
            ("./other.ts", Target::User("other".into())),
            ("other.js", Target::User("other".into())),
            ("team/auth", Target::User("team/auth".into())),
            ("dgate", Target::Host("tidegate")),
            ("tidegate/crypto", Target::Host("tidegate/crypto")),
            ("dgate/state", Target::Host("tidegate/state")),
            ("dgate/storage", Target::Host("tidegate/storage")),
            ("dgate/http", Target::Host("tidegate/http")),
            ("dgateway", Target::User("dgateway".into())),
            ("auth:2", Target::User("auth:2".into())),
            ("./auth:2.0-rc.1.ts", Target::User("auth:2.0-rc.1".into())),
        ] {
            assert_eq!(target(written), meant, "{written}");
        }
        for written in [
            "auth:",
            ":2",
            "auth:2:3",
            "auth:a/b",
            "auth:2 3",
            "node:fs",
            "npm:left-pad",
            "data:x",
            "dgate:x",
            "dgate/nope",
            "../up",
            "/etc/passwd",
            "https://x/y.js",
            "tidegate:native",
            "",
        ] {
            assert!(matches!(target(written), Target::Refused(_)), "{written}");
        }
    }
}
