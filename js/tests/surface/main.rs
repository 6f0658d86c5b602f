//! The types cannot lie: `tidegate.d.ts` is read as the compiler reads it and compared with what a module finds in the engine,
//! in both directions.

mod declared;
mod seen;

use std::collections::BTreeMap;

/// What there is, by where: `globals.URL`, `globals.URL.hash`, `globals.URL static.parse`, `tidegate/state.getDocument`,
/// `Context.request`; and its kind: class, function, value, method or property.
type Surface = BTreeMap<String, String>;

/// Seen and not to be declared, with the reason.
const NOT_DECLARED: &[&str] = &[
    // The console asks for it.
    "globals.CryptoKey.[inspect]",
    "CryptoKey.[inspect]",
];

#[test]
fn what_is_declared_is_there_and_what_is_there_is_declared() {
    let (declared, seen) = (declared::surface(), seen::surface());
    let mut lines = Vec::new();
    for (at, kind) in &declared {
        match seen.get(at) {
            Some(found) if found == kind => {}
            Some(found) => lines.push(format!("{at} is declared as a {kind}, and is a {found}")),
            None => lines.push(format!("{at} is declared, and is not there")),
        }
    }
    for (at, kind) in &seen {
        if !declared.contains_key(at) && !NOT_DECLARED.contains(&at.as_str()) {
            lines.push(format!("{at} is there ({kind}), and is not declared"));
        }
    }
    assert!(declared.len() > 400, "{} names were read", declared.len());
    assert!(lines.is_empty(), "js/types/tidegate.d.ts and the engine differ:\n{}\n", lines.join("\n"));
}
