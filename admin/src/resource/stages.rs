//! What the modules of a route's list are to each other, once it is known what each imports and exports: which run and
//! which are libraries of another, and whether two want to do what only one can. Pure; it asks no engine and no store.

use super::selection::{self, Selection};
use tidegate_js::{Function, Functions};

/// What is known about a module that is listed, or that stands in for one that is.
pub(crate) trait Known {
    /// Whether `importer` reaches `module`, directly or not.
    fn imports(&self, importer: &str, module: &str) -> bool;
    /// What a module offers.
    fn functions(&self, module: &str) -> Functions;
    /// The modules that take a part of a module's calls.
    fn canaries(&self, module: &str) -> Vec<String>;
}

/// The functions that one module of a route may have, because there is one upstream and one answer.
const ONE: [(Function, &str); 2] = [
    (Function::FetchUpstream, "a request goes to one upstream"),
    (Function::RequestHandler, "a request has one answer"),
];

/// Whether it has something that is called for a request.
fn serves(functions: Functions) -> bool {
    Function::OF_REQUESTS.iter().any(|function| functions.has(*function))
}

/// The stages that run, as indexes into the list. Left out are the libraries: what another stage's module imports that
/// stands earlier, or anywhere if it has none of the functions itself.
pub(crate) fn running(list: &[Selection], known: &dyn Known) -> Vec<Vec<usize>> {
    let is_library = |index: usize| {
        let (one, name) = (&list[index], list[index].module());
        let importers = list.iter().enumerate().filter(|(_, other)| other.name != one.name);
        let mut importers = importers.filter(|(_, other)| known.imports(&other.module(), &name));
        importers.any(|(at, _)| at < index || !serves(known.functions(&name)))
    };
    let mut stages = selection::stages(list);
    stages.iter_mut().for_each(|stage| stage.retain(|index| !is_library(*index)));
    stages.retain(|stage| !stage.is_empty());
    stages
}

/// What is wrong among them: index into the list, and a sentence.
pub(crate) fn faults(list: &[Selection], known: &dyn Known) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    let stages = running(list, known);
    for (index, one) in list.iter().enumerate() {
        if !stages.iter().any(|stage| stage.contains(&index)) {
            if !one.is_plain() {
                faults.push((index, format!("'{one}' is imported by another module of the list and is its library: a share or a condition has no meaning here, write '{}' or leave it out", one.module())));
            }
            continue;
        }
        for module in std::iter::once(one.module()).chain(known.canaries(&one.module())) {
            if !serves(known.functions(&module)) {
                let names: Vec<&str> = Function::OF_REQUESTS.iter().map(|function| function.name()).collect();
                faults.push((index, format!("'{module}' exports none of {}, and no other module of the list imports it: there is nothing to run", names.join(", "))));
            }
        }
    }
    for (function, why) in ONE {
        let exporting = |stage: &Vec<usize>| {
            stage.iter().find_map(|index| {
                let module = list[*index].module();
                let mut all = std::iter::once(module.clone()).chain(known.canaries(&module));
                all.find(|module| known.functions(module).has(function)).map(|module| (*index, module))
            })
        };
        let mut found = stages.iter().filter_map(exporting);
        let Some((first, one)) = found.next() else { continue };
        for (index, other) in found {
            let name = function.name();
            faults.push((
                index.max(first),
                format!(
                    "'{one}' and '{other}' both export {name}, and {why}: take {name} out of one of them, make them \
                     versions of one module ('{}:2'), or give each a route of its own",
                    list[first].name
                ),
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Modules as `name: functions > imports ~ canaries`.
    struct Table(BTreeMap<String, (Functions, Vec<String>, Vec<String>)>);

    impl Table {
        fn of(rows: &[&str]) -> Self {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let row = |row: &&str| {
                let (name, rest) = row.split_once(" = ").expect("name = functions");
                let (rest, canaries) = rest.split_once('~').unwrap_or((rest, ""));
                let (functions, imports) = rest.split_once('>').unwrap_or((rest, ""));
                let functions = functions.split_whitespace().map(|f| match f {
                    "up" => Function::FetchUpstream,
                    "req" => Function::RequestModifier,
                    "handle" => Function::RequestHandler,
                    "cron" => Function::Scheduled,
                    _ => panic!("{f}"),
                });
                (name.to_owned(), (functions.collect(), words(imports), words(canaries)))
            };
            Self(rows.iter().map(row).collect())
        }
    }

    impl Known for Table {
        fn imports(&self, importer: &str, module: &str) -> bool {
            self.0[importer].1.iter().any(|name| name == module)
        }
        fn functions(&self, module: &str) -> Functions {
            self.0[module].0
        }
        fn canaries(&self, module: &str) -> Vec<String> {
            self.0[module].2.clone()
        }
    }

    #[test]
    fn which_run_and_what_they_may_not_do_together() {
        let none: &[&[usize]] = &[];
        for (rows, list, stages, fault) in [
            (&["a = req", "b = handle req"][..], &["a", "b"][..], &[&[0][..], &[1]][..], None),
            (&["a = req > lib", "lib = "], &["a", "lib"], &[&[0]], None),
            // Imported by an earlier one: a library whatever it exports.
            (&["a = handle > lib", "lib = handle"], &["a", "lib"], &[&[0]], None),
            // By a later one: it runs if it can.
            (&["lib = req", "a = handle > lib"], &["lib", "a"], &[&[0], &[1]], None),
            (&["lib = ", "a = handle > lib"], &["lib", "a"], &[&[1]], None),
            (
                &["a = ", "b = handle"],
                &["a", "b"],
                &[&[0], &[1]],
                Some((0, "'a' exports none of fetchUpstream,")),
            ),
            (&["a = cron"], &["a"], &[&[0]], Some((0, "exports none of"))),
            (
                &["a = handle", "b = handle"],
                &["a", "b"],
                &[&[0], &[1]],
                Some((1, "'a' and 'b' both export requestHandler")),
            ),
            (&["a = up", "b = up"], &["a", "b"], &[&[0], &[1]], Some((1, "versions of one module ('a:2')"))),
            // Versions of one module may.
            (&["a = handle", "a:2 = handle"], &["a", "a:2@1%"], &[&[1, 0]], None),
            (&["a = handle", "a:2 = handle > a"], &["a:2@1%", "a"], &[&[0, 1]], None),
            (
                &["a = req", "b = handle", "a:2 = handle"],
                &["a", "b", "a:2@1%"],
                &[&[2, 0], &[1]],
                Some((2, "'a:2' and 'b' both")),
            ),
            (
                &["a = req ~ c", "b = handle", "c = handle"],
                &["a", "b"],
                &[&[0], &[1]],
                Some((1, "'c' and 'b' both")),
            ),
            (&["a = req ~ c", "c = "], &["a"], &[&[0]], Some((0, "'c' exports none of"))),
            (
                &["a = req > lib", "lib = req"],
                &["a", "lib@5%"],
                &[&[0]],
                Some((1, "write 'lib' or leave it out")),
            ),
            (&[], &[], none, None),
        ] {
            let (table, list) =
                (Table::of(rows), selection::all(&list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()));
            assert_eq!(running(&list, &table), stages, "{rows:?}");
            let said = faults(&list, &table);
            match fault {
                None => assert!(said.is_empty(), "{rows:?}: {said:?}"),
                Some((at, text)) => {
                    assert!(
                        said.len() == 1 && said[0].0 == at && said[0].1.contains(text),
                        "{rows:?}: {said:?}"
                    );
                }
            }
        }
    }
}
