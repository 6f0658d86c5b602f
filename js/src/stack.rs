//! Stack traces in the user's positions: finds the frames in the engine's text, maps those of user modules, and
//! drops those of the prelude. Works on text only, since a trace may have been through the module's hands.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::module::ModuleCode;
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
        let mut native = false;
        for line in stack.lines().filter(|l| !l.trim().is_empty()) {
            let place = line.trim_end().trim_end_matches(')').rsplit(['(', ' ']).next().unwrap_or_default();
            if is_ours(place) {
                // The native function that the prelude called stands above it.
                if native {
                    lines.pop();
                }
                native = false;
                continue;
            }
            native = place == "native";
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
