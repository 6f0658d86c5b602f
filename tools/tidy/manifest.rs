//! A `Cargo.toml` as lines of section, key and value, with line numbers. Enough for the manifests of this house, whose
//! form the laws prescribe anyway; it is no TOML parser and must not become one.

/// `key = value` of a section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Name between the brackets: `dependencies`, `lints`, `target.'cfg(unix)'.dependencies`.
    pub(crate) section: String,
    /// Key as written: `tokio.workspace`.
    pub(crate) key: String,
    /// Value as written, several lines joined.
    pub(crate) value: String,
    /// From 1.
    pub(crate) line: usize,
}

/// Every entry of a manifest, in order.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        if open {
            let last = entries.last_mut().expect("a value is open");
            last.value.push_str(line);
            open = unbalanced(&last.value);
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).trim().to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            let value = value.trim().to_owned();
            open = unbalanced(&value);
            entries.push(Entry {
                section: section.clone(),
                key: key.trim().replace('"', ""),
                value,
                line: index + 1,
            });
        }
    }
    entries
}

/// A crate that a manifest asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only for tests.
    pub(crate) dev: bool,
    /// The version comes from the workspace.
    pub(crate) workspace: bool,
    pub(crate) line: usize,
}

/// The dependencies of a manifest, of every table and target.
pub(crate) fn dependencies(text: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    for Entry { section, key, value, line } in entries(text) {
        let Some((table, of)) = table_of(&section) else { continue };
        let (name, attribute) = match (of, key.split_once('.')) {
            (Some(name), _) => (name, Some(key.as_str())),
            (None, Some((name, attribute))) => (name, Some(attribute)),
            (None, None) => (key.as_str(), None),
        };
        let workspace = match attribute {
            Some(attribute) => attribute == "workspace" && value == "true",
            None => value.replace(' ', "").contains("workspace=true"),
        };
        let dev = table == "dev-dependencies";
        match found.iter_mut().find(|known| known.name == name && known.dev == dev) {
            Some(known) => known.workspace |= workspace,
            None => found.push(Dependency { name: name.into(), dev, workspace, line }),
        }
    }
    found
}

/// The dependency table a section is, and the crate it is about when it is `[dependencies.NAME]`.
fn table_of(section: &str) -> Option<(&'static str, Option<&str>)> {
    if section.starts_with("workspace.") {
        return None;
    }
    ["dev-dependencies", "build-dependencies", "dependencies"].into_iter().find_map(|table| {
        let at = section.find(table)?;
        let clear = at == 0 || section[..at].ends_with('.');
        match &section[at + table.len()..] {
            "" if clear => Some((table, None)),
            rest => rest.strip_prefix('.').filter(|_| clear).map(|name| (table, Some(name))),
        }
    })
}

/// The folder's name of the package that a fuzz manifest belongs to: `codec` of `shards/codec/fuzz/Cargo.toml`.
pub(crate) fn fuzzed(path: &str) -> Option<&str> {
    path.strip_suffix("/fuzz/Cargo.toml")?.rsplit('/').next()
}

/// A product that is measured beside ours: its manifest is none of the house's.
pub(crate) fn stranger(path: &str) -> bool {
    path == "perf/pingora/Cargo.toml"
}

/// Strings of an array such as `["a", "b"]`.
pub(crate) fn strings(value: &str) -> Vec<String> {
    value.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

fn unbalanced(value: &str) -> bool {
    let count = |c: char| value.matches(c).count();
    count('[') > count(']') || count('{') > count('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_found_in_every_form() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true # why\nb = { workspace = true, features = [\n  \"c\",\n] }\n\
                    d = \"1\"\n[dependencies.e]\nversion = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\na = { path = \"#\" }\n\
                    [build-dependencies]\nf.version = \"1\"\n[workspace.dependencies]\ng = \"1\"\n";
        let found = dependencies(text);
        let found: Vec<(&str, bool, bool, usize)> =
            found.iter().map(|d| (d.name.as_str(), d.dev, d.workspace, d.line)).collect();
        let expected = [
            ("a", false, true, 4),
            ("b", false, true, 5),
            ("d", false, false, 8),
            ("e", false, false, 10),
            ("a", true, false, 12),
            ("f", false, false, 14),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn values_may_take_several_lines() {
        let found = entries("[workspace]\nmembers = [\n \".\", # the root\n \"a\",\n]\nx = 1");
        assert_eq!(strings(&found[0].value), [".", "a"]);
        assert_eq!((found[1].key.as_str(), found[1].line), ("x", 6));
    }
}
