//! Files that belong together: a test or a module and everything it imports, found by path as an editor finds it and compiled
//! into one graph. Whoever calls brings the reader; nothing here knows a disk.

use std::collections::VecDeque;

use super::library::{PREFIX, TEST};
use crate::compile::compile_as;
use crate::module::{Diagnostic, Language, ModuleCode};
use crate::positions::Positions;
use crate::specifier::{Target, target};

/// One file.
#[derive(Debug, Clone)]
pub struct Source {
    /// How it is named in messages.
    pub shown: String,
    /// What is in it.
    pub text: String,
}

/// Reads a file by its path, `None` if there is none. Called from the compiler's thread too.
type Read<'a> = &'a (dyn Fn(&str) -> Option<Source> + Sync);

/// A compiled graph, its entry first.
#[derive(Debug, Clone)]
pub struct Project {
    pub(super) modules: Vec<ModuleCode>,
    /// Who imports (shown), the specifier, who is meant (shown).
    pub(super) aliases: Vec<(String, String, String)>,
    /// Paths of all files, the entry's first.
    pub paths: Vec<String>,
}

/// What stands for the entry's file in the generated entry.
const SUBJECT: &str = "subject";
/// Name of the generated entry.
const ENTRY: &str = "tidegate:kit-entry";
/// Most files of one graph.
const MAX_FILES: usize = 500;

impl Project {
    /// Compiles the file at `entry` and all it imports, or says everything that is wrong with the first bad file. `is_test`:
    /// `tidegate/test` may be imported.
    pub fn load(entry: &str, is_test: bool, read: Read<'_>) -> Result<Project, Vec<Diagnostic>> {
        let mut project = Project { modules: Vec::new(), aliases: Vec::new(), paths: vec![entry.to_owned()] };
        let mut waiting = VecDeque::from([entry.to_owned()]);
        while let Some(path) = waiting.pop_front() {
            let Some(source) = read(&path) else {
                let message = "the file cannot be read".to_owned();
                return Err(vec![Diagnostic { module: path, line: 1, column: 1, message }]);
            };
            let resolve = |specifier: &str| resolve(&path, specifier, is_test, read).0;
            let compiled = compile_as(&source.shown, &source.shown, &source.text, language(&path), &resolve)?;
            let imports = Positions::decode(&compiled.source_map).map(|map| map.imports).unwrap_or_default();
            for import in imports {
                let (_, found) = self::resolve(&path, &import.specifier, is_test, read);
                let means = match found {
                    Some((at, shown)) => {
                        if !project.paths.contains(&at) && project.paths.len() < MAX_FILES {
                            project.paths.push(at.clone());
                            waiting.push_back(at);
                        }
                        shown
                    }
                    None if import.specifier == "tidegate/test" => TEST.to_owned(),
                    None => continue,
                };
                project.aliases.push((source.shown.clone(), import.specifier, means));
            }
            project.modules.push(compiled.code());
        }
        Ok(project)
    }

    /// The same with an entry in front whose `requestHandler` is `step` of a module of the kit, which gets the subject.
    pub(super) fn driven_by(&self, driver: &str) -> Result<(Vec<ModuleCode>, Aliases), Vec<Diagnostic>> {
        let source = format!(
            "import {{ step }} from \"{driver}\";\nimport * as subject from \"{SUBJECT}\";\n\
             export function requestHandler() {{ return step(subject); }}\n"
        );
        let known = |specifier: &str| match specifier.starts_with(PREFIX) {
            true => Target::Host("tidegate"),
            false => Target::User(specifier.to_owned()),
        };
        let entry = compile_as(ENTRY, ENTRY, &source, Language::JavaScript, &known)?;
        let mut modules = vec![entry.code()];
        modules.extend(self.modules.iter().cloned());
        let mut aliases = self.aliases.clone();
        let shown = self.modules.first().map(|first| first.name.to_string()).unwrap_or_default();
        aliases.push((ENTRY.into(), SUBJECT.into(), shown));
        aliases.push((ENTRY.into(), driver.into(), driver.into()));
        Ok((modules, aliases))
    }
}

pub(super) type Aliases = Vec<(String, String, String)>;

fn language(path: &str) -> Language {
    if path.ends_with(".js") || path.ends_with(".mjs") { Language::JavaScript } else { Language::TypeScript }
}

/// What an import means, and the file it leads to: its path and how it is shown.
fn resolve(from: &str, specifier: &str, is_test: bool, read: Read<'_>) -> (Target, Option<(String, String)>) {
    if specifier == "tidegate/test" {
        return match is_test {
            true => (Target::Host("tidegate"), None),
            false => (Target::Refused("'tidegate/test' exists in tests only".into()), None),
        };
    }
    let plain = target(specifier);
    if matches!(plain, Target::Host(_)) || specifier.starts_with("tidegate") || specifier.contains(':') {
        return (plain, None);
    }
    let base = join(from, specifier);
    for ending in ["", ".ts", ".mts", ".js", ".mjs"] {
        let path = format!("{base}{ending}");
        let is_source = [".ts", ".mts", ".js", ".mjs"].iter().any(|known| path.ends_with(known));
        if let Some(source) = is_source.then(|| read(&path)).flatten() {
            return (Target::User(source.shown.clone()), Some((path, source.shown)));
        }
    }
    (Target::Refused(format!("there is no file {base}.ts, nor with .mts, .js or .mjs")), None)
}

/// `a/b.test.ts` and `../c` → `c`. Text only.
fn join(from: &str, specifier: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').collect();
    if folder.is_empty() && !from.starts_with('/') {
        parts.clear();
    }
    for part in specifier.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (from, specifier, path) in [
            ("/p/src/a.test.ts", "./a", "/p/src/a"),
            ("/p/src/a.test.ts", "../lib/b.ts", "/p/lib/b.ts"),
            ("/p/src/a.test.ts", "a", "/p/src/a"),
            ("a.test.ts", "./a", "a"),
            ("x/a.test.ts", "../a", "a"),
            ("/a.ts", "./b", "/b"),
        ] {
            assert_eq!(join(from, specifier), path, "{from} {specifier}");
        }
    }
}
