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
    if name.is_empty() || name.contains([':', '\0']) || name.starts_with(['.', '/']) {
        return Target::Refused(format!(
            "cannot import '{specifier}': modules are imported by name ('./name' or 'name') or from 'tidegate/…'"
        ));
    }
    Target::User(name.to_owned())
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
        ] {
            assert_eq!(target(written), meant, "{written}");
        }
        for written in ["dgate/nope", "../up", "/etc/passwd", "https://x/y.js", "tidegate:native", ""] {
            assert!(matches!(target(written), Target::Refused(_)), "{written}");
        }
    }
}
