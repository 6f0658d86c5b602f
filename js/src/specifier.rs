//! Import specifiers: which name means which module. User modules are known by their bare name; the gateway's own
//! modules by two prefixes. Nothing here may look at the file system: there is none.

/// Prefix of the modules that only the prelude may import.
pub(crate) const INTERNAL: &str = "tidegate:";

/// Host modules that exist.
const HOST_MODULES: [&str; 4] = ["tidegate", "tidegate/state", "tidegate/crypto", "tidegate/storage"];

/// Host modules that DGate has and that come with a later release; the place to add them is
/// `prelude.rs` and `HOST_MODULES`.
const LATER: [&str; 3] = ["tidegate/http", "tidegate/util", "tidegate/x"];

/// Names that `dgate` exports in DGate and that are not there yet.
const LATER_NAMES: [&str; 3] = ["http", "util", "x"];

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
        if LATER.contains(&host.as_str()) {
            return Target::Refused(format!("'{specifier}' is not available in this version yet"));
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

/// Says so if `name` is an export of `dgate` that is still missing.
pub(crate) fn later_name(host: &str, name: &str) -> Option<String> {
    (host == "tidegate" && LATER_NAMES.contains(&name))
        .then(|| format!("'{name}' of 'dgate' is not available in this version yet"))
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
            ("dgateway", Target::User("dgateway".into())),
        ] {
            assert_eq!(target(written), meant, "{written}");
        }
        for written in
            ["dgate/http", "dgate/nope", "../up", "/etc/passwd", "https://x/y.js", "tidegate:native", ""]
        {
            assert!(matches!(target(written), Target::Refused(_)), "{written}");
        }
    }
}
