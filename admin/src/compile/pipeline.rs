//! A route's list of modules to the stages that shards run: libraries left out, versions of one module put together,
//! canaries put in front, shares made such that each gets of the whole traffic what its entry says. It reads what is
//! known about modules and builds none.

use crate::resource::{ALL, Known, Selection, running};
use std::sync::Arc;
use tidegate_snapshot::{Condition, Pipeline, Script, ScriptFunctions, Share, Stage, Sticky, Variant};

/// A module in its place, with what it gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) module: String,
    when: Vec<Condition>,
    /// Of all requests that meet the conditions, in parts per million.
    share: Option<u32>,
    sticky: Sticky,
}

/// Where a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    /// Its tags choose other nodes.
    Elsewhere,
    Nowhere,
}

/// What planning asks about modules.
pub(super) trait Modules: Known {
    fn presence(&self, module: &str) -> Presence;
    /// The modules that take a part of its calls: parts per million, and which.
    fn shares(&self, module: &str) -> Vec<(u32, String)>;
}

/// The stages of a list. A version that is not on this node is left out as long as another one is. Errors: a sentence.
pub(super) fn plan(list: &[Selection], modules: &dyn Modules) -> Result<Vec<Vec<Part>>, String> {
    let mut stages = Vec::new();
    for stage in running(list, modules_as_known(modules)) {
        let mut parts = Vec::new();
        for one in stage.iter().map(|index| &list[*index]) {
            match modules.presence(&one.module()) {
                Presence::Here => place(one, modules, &mut parts),
                Presence::Elsewhere => {}
                Presence::Nowhere => return Err(format!("there is no module '{}'", one.module())),
            }
        }
        if parts.is_empty() {
            return Err(format!(
                "module '{}' is not on this node: its tags choose others",
                list[stage[0]].module()
            ));
        }
        stages.push(parts);
    }
    Ok(stages)
}

fn modules_as_known(modules: &dyn Modules) -> &dyn Known {
    modules
}

/// An entry, after the canaries of its module. One that is not here takes nothing.
fn place(one: &Selection, modules: &dyn Modules, parts: &mut Vec<Part>) {
    let whole = one.share.unwrap_or(ALL);
    let of_whole = |share: u32| (u64::from(whole) * u64::from(share) / u64::from(ALL)) as u32;
    let mut left = whole;
    for (share, canary) in modules.shares(&one.module()) {
        if modules.presence(&canary) != Presence::Here {
            continue;
        }
        let share = of_whole(share).min(left);
        left -= share;
        let (when, sticky) = (one.when.clone(), one.sticky.clone());
        parts.push(Part { module: canary, when, share: Some(share), sticky });
    }
    parts.push(Part {
        module: one.module(),
        when: one.when.clone(),
        share: one.share.map(|_| left),
        sticky: one.sticky.clone(),
    });
}

/// Differs from module to module and is the same on every node, through every change of a share, and on every route: who
/// meets a version meets it everywhere.
fn salt(namespace: &str, module: &str) -> u64 {
    // FNV-1a.
    [namespace.as_bytes(), b"/", module.as_bytes()]
        .concat()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

/// Part `at` as a share of what the parts before it leave over.
fn left_share(parts: &[Part], at: usize) -> Option<u32> {
    let one = &parts[at];
    let share = u64::from(one.share?);
    let before = parts[..at].iter().filter(|other| other.when.is_empty() || other.when == one.when);
    let taken: u64 = before.filter_map(|other| other.share).map(u64::from).sum();
    let left = u64::from(ALL).saturating_sub(taken);
    if left == 0 {
        return Some(0);
    }
    Some((share * u64::from(ALL)).div_ceil(left).min(u64::from(ALL)) as u32)
}

/// The pipeline of planned stages, with the scripts of their modules. Errors: what is wrong with a script.
pub(super) fn build<'a>(
    namespace: &str,
    stages: &[Vec<Part>],
    script: impl Fn(&str) -> Result<&'a Arc<Script>, String>,
) -> Result<Option<Pipeline>, String> {
    let mut functions = ScriptFunctions::default();
    let mut built = Vec::with_capacity(stages.len());
    for parts in stages {
        let mut variants = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            let script = script(&part.module)?.clone();
            functions = union(functions, script.functions);
            let share = left_share(parts, at).map(|parts_per_million| Share {
                parts_per_million,
                sticky: part.sticky.clone(),
                salt: salt(namespace, &part.module),
            });
            variants.push(Variant { script, when: part.when.as_slice().into(), share });
        }
        built.push(Stage { variants: variants.into() });
    }
    Ok((!built.is_empty()).then(|| Pipeline { stages: built.into(), functions }))
}

fn union(a: ScriptFunctions, b: ScriptFunctions) -> ScriptFunctions {
    ScriptFunctions {
        fetch_upstream: a.fetch_upstream || b.fetch_upstream,
        request_modifier: a.request_modifier || b.request_modifier,
        response_modifier: a.response_modifier || b.response_modifier,
        request_handler: a.request_handler || b.request_handler,
        error_handler: a.error_handler || b.error_handler,
    }
}

/// Whether two pipelines run the same scripts in the same way.
pub(super) fn same(a: &Pipeline, b: &Pipeline) -> bool {
    let variants = |stage: &Stage, other: &Stage| {
        stage.variants.len() == other.variants.len()
            && stage
                .variants
                .iter()
                .zip(&other.variants)
                .all(|(a, b)| Arc::ptr_eq(&a.script, &b.script) && a.when == b.when && a.share == b.share)
    };
    a.stages.len() == b.stages.len() && a.stages.iter().zip(&b.stages).all(|(a, b)| variants(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tidegate_js::{Function, Functions};

    /// By module: where it is, and its canaries.
    struct Table(BTreeMap<&'static str, (Presence, &'static [(u32, &'static str)])>);

    impl Known for Table {
        fn imports(&self, _: &str, _: &str) -> bool {
            false
        }
        fn functions(&self, _: &str) -> Functions {
            [Function::RequestModifier].into_iter().collect()
        }
        fn canaries(&self, module: &str) -> Vec<String> {
            self.shares(module).into_iter().map(|(_, name)| name).collect()
        }
    }

    impl Modules for Table {
        fn presence(&self, module: &str) -> Presence {
            self.0.get(module).map_or(Presence::Nowhere, |(presence, _)| *presence)
        }
        fn shares(&self, module: &str) -> Vec<(u32, String)> {
            let found = self.0.get(module).map_or(&[][..], |(_, canaries)| canaries);
            found.iter().map(|(share, name)| (*share, (*name).to_owned())).collect()
        }
    }

    /// `module=what it gets of what comes by`, stages separated by `|`.
    fn show(stages: &[Vec<Part>]) -> String {
        let part = |parts: &Vec<Part>, at: usize| match left_share(parts, at) {
            Some(share) => format!("{}={share}", parts[at].module),
            None => parts[at].module.clone(),
        };
        let stage =
            |parts: &Vec<Part>| (0..parts.len()).map(|at| part(parts, at)).collect::<Vec<_>>().join(" ");
        stages.iter().map(stage).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn who_gets_what() {
        let table = Table(BTreeMap::from([
            ("a", (Presence::Here, &[][..])),
            ("a:2", (Presence::Here, &[])),
            ("a:3", (Presence::Here, &[])),
            ("a:far", (Presence::Elsewhere, &[])),
            ("b", (Presence::Here, &[(10_000, "a:2")])),
            ("c", (Presence::Here, &[(500_000, "a"), (250_000, "a:far")])),
            ("d", (Presence::Here, &[(500_000, "gone")])),
            ("far", (Presence::Elsewhere, &[])),
        ]));
        for (list, expected) in [
            ("a b", Ok("a | a:2=10000 b")),
            ("a:2@10% a", Ok("a:2=100000 a")),
            ("a a:2@10%", Ok("a:2=100000 a")),
            // A fifth of everything is more of the nine tenths that come by.
            ("a:2@10% a:3@20% a", Ok("a:2=100000 a:3=222223 a")),
            ("a:2@50% a:3@50% a", Ok("a:2=500000 a:3=1000000 a")),
            ("a:2@100% a:3@0% a", Ok("a:2=1000000 a:3=0 a")),
            ("a:2@10%;when=query:x a:3@20%;when=query:y a", Ok("a:2=100000 a:3=200000 a")),
            ("a:2@10% a:3@20%;when=query:y a", Ok("a:2=100000 a:3=222223 a")),
            ("c", Ok("a=500000 c")),
            ("c@10%", Ok("a=50000 c=52632")),
            ("d", Ok("d")),
            ("a:far@10% a", Ok("a")),
            ("a:far@10% a:2@20% a", Ok("a:2=200000 a")),
            ("far a", Err("module 'far' is not on this node: its tags choose others")),
            ("a:far@10%", Err("module 'a:far' is not on this node: its tags choose others")),
            ("a gone", Err("there is no module 'gone'")),
        ] {
            let list: Vec<Selection> = list.split(' ').map(|text| text.parse().expect("an entry")).collect();
            let planned = plan(&list, &table).map(|stages| show(&stages));
            assert_eq!(planned.as_deref().map_err(String::as_str), expected, "{list:?}");
        }
    }

    #[test]
    fn salts_stay_and_differ() {
        assert_eq!(salt("default", "auth:2"), salt("default", "auth:2"));
        assert_ne!(salt("default", "auth:2"), salt("default", "auth:3"));
        assert_ne!(salt("a", "b"), salt("b", "a"));
    }
}
