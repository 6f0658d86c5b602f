//! Stack traces in the user's positions: finds the frames in the engine's text, maps those of user modules, and
//! drops those of the prelude. Works on text only, since a trace may have been through the module's hands.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::module::ModuleCode;
use crate::native;
use crate::positions::Positions;

/// The position maps of a graph, decoded when a trace first needs them.
pub(crate) struct Maps {
    encoded: Vec<Arc<[u8]>>,
    decoded: OnceCell<HashMap<String, Positions>>,
}

impl Maps {
    pub(crate) fn new(modules: &[ModuleCode]) -> Rc<Maps> {
        let encoded = modules.iter().map(|m| m.source_map.clone()).collect();
        Rc::new(Maps { encoded, decoded: OnceCell::new() })
    }

    fn of(&self, module: &str) -> Option<&Positions> {
        let decode = || {
            let maps = self.encoded.iter().filter_map(|m| Positions::decode(m));
            maps.map(|m| (m.shown.clone(), m)).collect()
        };
        self.decoded.get_or_init(decode).get(module)
    }

    /// The trace with every frame mapped; frames that are not the user's business are left out.
    pub(crate) fn map(&self, stack: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut is_native = false;
        for line in stack.lines().filter(|l| !l.trim().is_empty()) {
            let place = line.trim_end().trim_end_matches(')').rsplit(['(', ' ']).next().unwrap_or_default();
            if is_ours(place) {
                // The native function that the prelude called stands above it.
                if is_native {
                    lines.pop();
                }
                is_native = false;
                continue;
            }
            is_native = place == "native";
            // Methods of the request's objects are the gateway's business too.
            if is_native && named(line).is_some_and(native::is_method) {
                is_native = false;
                continue;
            }
            lines.push(match self.place(place) {
                Some(mapped) => line.replacen(place, &mapped, 1),
                None => line.to_owned(),
            });
        }
        lines.join("\n")
    }

    /// A trace that points at where a module exports `scheduled`; at its beginning, if the text does not show it.
    pub(crate) fn scheduled(&self, module: &str) -> String {
        let (line, column) = self.of(module).and_then(|map| map.scheduled).unwrap_or((1, 1));
        format!("    at scheduled ({module}:{line}:{column})")
    }

    /// `name.ts:3:7` of the engine → the same of the source; `None` if it names no module of the graph.
    fn place(&self, place: &str) -> Option<String> {
        let (module, line, column) = split(place)?;
        let (line, column) = self.of(module)?.source_of(line, column);
        Some(format!("{module}:{line}:{column}"))
    }
}

/// What is kept of a trace that goes on from operation to operation.
const MAX_ORIGIN_BYTES: usize = 2 << 10;

/// The trace of where an operation is started, and of whoever was waiting when that code was itself resumed: the
/// engine's own trace ends at the last `await`.
pub(crate) fn joined(now: &str, before: &str) -> String {
    let mut all = with_callers(now, before);
    if all.len() > MAX_ORIGIN_BYTES {
        let end = all[..all.floor_char_boundary(MAX_ORIGIN_BYTES)].rfind('\n').unwrap_or(0);
        all.truncate(end);
    }
    all
}

/// The name of a frame's function.
fn named(frame: &str) -> Option<&str> {
    frame.trim().strip_prefix("at ")?.split_once(" (").map(|(name, _)| name)
}

/// The function that a frame is in, and its module: `inner` and `m.ts` of `at async inner (m.ts:3:4)`.
fn function(frame: &str) -> Option<(&str, &str)> {
    let frame = frame.trim().strip_prefix("at ")?;
    let frame = frame.strip_prefix("async ").unwrap_or(frame);
    let (name, place) = frame.split_once(" (").unwrap_or(("", frame));
    split(place.trim_end_matches(')')).map(|(module, ..)| (name, module))
}

/// A trace with the callers that waited for it. The outermost function of `stack` was resumed; whoever called it stands
/// in `origin`, the trace of where the operation that resumed it was started. Where that says nothing of it, nothing is
/// made up.
pub(crate) fn with_callers(stack: &str, origin: &str) -> String {
    let frames = || origin.lines().filter(|line| !line.trim().is_empty());
    let resumed = stack.lines().rev().find_map(|line| function(line).filter(|(_, module)| !is_ours(module)));
    let at = resumed.and_then(|resumed| frames().position(|frame| function(frame) == Some(resumed)));
    let mut all = stack.trim_end().to_owned();
    for frame in at.into_iter().flat_map(|at| frames().skip(at + 1)) {
        let Some(frame) = frame.trim().strip_prefix("at ") else { continue };
        let frame = frame.strip_prefix("async ").unwrap_or(frame);
        all.push_str("\n    at async ");
        all.push_str(frame);
    }
    all
}

/// Module, line and column of the first frame of a mapped trace.
pub(crate) fn first_frame(mapped: &str) -> Option<(&str, u32, u32)> {
    let places = mapped.lines().map(|l| l.trim_end().trim_end_matches(')').rsplit(['(', ' ']).next());
    places.flatten().find_map(split)
}

fn split(place: &str) -> Option<(&str, u32, u32)> {
    let (rest, column) = place.rsplit_once(':')?;
    let (module, line) = rest.rsplit_once(':')?;
    Some((module, line.parse().ok()?, column.parse().ok()?))
}

/// Whether a place is in the prelude or one of the gateway's own modules.
pub(crate) fn is_ours(place: &str) -> bool {
    place.starts_with("tidegate:") || place.starts_with("tidegate/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_found_by_the_function_that_was_resumed() {
        let frames = |names: &[&str]| names.iter().map(|n| format!("    at {n}\n")).collect::<String>();
        for (stack, origin, expected) in [
            (
                &["inner (m.ts:5:1)"][..],
                &["inner (m.ts:4:1)", "outer (m.ts:9:1)"][..],
                &["inner (m.ts:5:1)", "async outer (m.ts:9:1)"][..],
            ),
            (
                &["deep (m.ts:1:1)", "outer (m.ts:10:1)"],
                &["inner (m.ts:4:1)", "outer (m.ts:9:1)", "f (l.ts:1:1)"],
                &["deep (m.ts:1:1)", "outer (m.ts:10:1)", "async f (l.ts:1:1)"],
            ),
            (&["other (m.ts:1:1)"], &["inner (m.ts:4:1)", "outer (m.ts:9:1)"], &["other (m.ts:1:1)"]),
            (&["inner (other.ts:1:1)"], &["inner (m.ts:4:1)", "outer (m.ts:9:1)"], &["inner (other.ts:1:1)"]),
            (
                &["inner (m.ts:1:1)"],
                &["inner (m.ts:4:1)", "async outer (m.ts:9:1)"],
                &["inner (m.ts:1:1)", "async outer (m.ts:9:1)"],
            ),
            (&[], &["inner (m.ts:4:1)"], &[]),
            (&["inner (m.ts:1:1)"], &[], &["inner (m.ts:1:1)"]),
        ] {
            assert_eq!(
                with_callers(&frames(stack), &frames(origin)),
                frames(expected).trim_end(),
                "{stack:?} {origin:?}"
            );
        }
    }

    #[test]
    fn a_trace_that_goes_on_for_ever_is_cut() {
        let mut origin = String::new();
        for i in 0..1000 {
            origin = joined(
                &format!("    at f{i} (m.ts:1:1)\n    at g (m.ts:2:2)\n"),
                &format!("    at g (m.ts:2:1)\n{origin}"),
            );
            assert!(origin.len() <= MAX_ORIGIN_BYTES);
        }
        assert!(origin.contains("async f9"), "{origin}");
    }
}
