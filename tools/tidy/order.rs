//! Inside the data plane imports run one way: a room names only rooms that come after it. Stages never name each
//! other; only `exchange` orders them. A room that is not in the table does not exist yet: add it on purpose.

use crate::house::Violation;
use crate::source::{Source, words};

const ROOT: &str = "shards/src/";

/// The rooms, from the outermost in. Rooms of one rank do not know each other.
const RANKS: &[&[&str]] = &[
    &["shard"],
    &["install", "accept"],
    &["tls"],
    &["connection"],
    &["exchange"],
    // What one shard owns, the stages' state with it; so it knows the stages, and they do not know it.
    &["local"],
    // The stages of a request.
    &["route", "policy", "script", "upstream", "respond", "record"],
    // What stages share, again one way.
    &["tables"],
    &["fetch"],
    &["names", "pool"],
    &["link"],
    &["body"],
    &["wire"],
    // Beneath a wire; `tls` above is what a listener will do with it.
    &["secure"],
    &["cache"],
    &["outbox", "reply", "tickets"],
    &["counters", "profile"],
    &["fault", "surroundings"],
    &["limits"],
];

/// Whether the law concerns a file.
pub(crate) fn applies(path: &str) -> bool {
    path.starts_with(ROOT) && path.ends_with(".rs") && path != "shards/src/lib.rs"
}

/// The room a file stands in: its top name below `shards/src`.
fn room_of(path: &str) -> &str {
    let below = path.strip_prefix(ROOT).unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

fn rank(room: &str) -> Option<usize> {
    RANKS.iter().position(|rooms| rooms.contains(&room))
}

/// What one file of the data plane imports from its own crate.
pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    let room = room_of(path);
    let Some(own) = rank(room) else {
        let fix = "give it a rank in RANKS of tools/tidy/order.rs, or let it be part of a room there is";
        return vec![Violation::new(path, 0, format!("{room} is no known room of the data plane"), fix)];
    };
    let source = Source::new(path, text);
    let mut named: Vec<(usize, String)> = Vec::new();
    // In a room's own file, `super` is the crate.
    let at_top = matches!(path[ROOT.len()..].split_once('/'), None | Some((_, "mod.rs")));
    for (line, import) in source.imports() {
        let mut parts = import.split("::");
        match (parts.next(), parts.next()) {
            (Some("crate"), Some(other)) => named.push((line, other.into())),
            (Some("super"), Some(other)) if at_top && !other.is_empty() => named.push((line, other.into())),
            _ => {}
        }
    }
    for (line, code) in source.production() {
        let found: Vec<(usize, &str)> = words(code).collect();
        for pair in found.windows(2) {
            let between = &code[pair[0].0 + pair[0].1.len()..pair[1].0];
            if pair[0].1 == "crate" && between == "::" {
                named.push((line, pair[1].1.into()));
            }
        }
    }
    named.sort();
    named.dedup();
    named.into_iter().filter_map(|(line, other)| judge(path, line, room, own, &other)).collect()
}

fn judge(path: &str, line: usize, room: &str, own: usize, other: &str) -> Option<Violation> {
    match rank(other) {
        _ if other == room => None,
        Some(theirs) if theirs > own => None,
        Some(theirs) if theirs == own => Some(Violation::new(
            path,
            line,
            format!("{room} names {other}, which stands beside it"),
            "let the room above order the two, or move what both need below them",
        )),
        Some(_) => Some(Violation::new(
            path,
            line,
            format!("{room} names {other}, which comes before it"),
            "hand in what it needs as an argument, or move it further in",
        )),
        None => Some(Violation::new(
            path,
            line,
            format!("{room} names crate::{other}, which is no known room"),
            "name the room it lives in; a new room gets its rank in RANKS of tools/tidy/order.rs",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_run_one_way() {
        for (path, text, expected) in [
            (
                "shards/src/exchange.rs",
                "use crate::{route, upstream::Pool};\nuse crate::fault::Fault;",
                &[][..],
            ),
            ("shards/src/route.rs", "use crate::exchange::Exchange;", &[1]),
            ("shards/src/route.rs", "\nuse crate::{limits,\n policy::Policy};", &[2]),
            (
                "shards/src/upstream/pool.rs",
                "use crate::upstream::Call;\nuse super::Call;\nuse super::route;",
                &[],
            ),
            ("shards/src/upstream/mod.rs", "use super::respond;", &[1]),
            ("shards/src/upstream.rs", "use super::limits::Limits;", &[]),
            ("shards/src/limits.rs", "fn f() -> crate::fault::Fault { x }", &[1]),
            ("shards/src/body.rs", "use crate::util::x;", &[1]),
            ("shards/src/body.rs", "use crate::Limits;", &[1]),
            (
                "shards/src/body.rs",
                "// use crate::shard;\n#[cfg(test)]\nmod tests {\n use crate::shard;\n}",
                &[],
            ),
            ("shards/src/upstream/tests.rs", "use crate::shard;", &[]),
            ("shards/src/cellar.rs", "", &[0]),
        ] {
            let lines: Vec<usize> = check(path, text).iter().map(|violation| violation.line).collect();
            assert_eq!(lines, expected, "{path}: {text}");
        }
    }

    #[test]
    fn it_concerns_the_rooms_only() {
        for (path, concerned) in [
            ("shards/src/lib.rs", false),
            ("shards/src/body.rs", true),
            ("shards/src/upstream/pool.rs", true),
            ("shards/codec/src/head.rs", false),
        ] {
            assert_eq!(applies(path), concerned, "{path}");
        }
    }
}
