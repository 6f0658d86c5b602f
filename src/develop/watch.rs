//! Waiting for files to be saved, by looking at their times. Folders are looked at too, so that a new file is seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const PERIOD: Duration = Duration::from_millis(150);

/// Files and folders with what was last seen of them.
#[derive(Default)]
pub struct Watch(BTreeMap<PathBuf, Option<(SystemTime, u64)>>);

fn look(path: &Path) -> Option<(SystemTime, u64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

impl Watch {
    /// Takes a file and its folder in; what was seen of them before stays.
    pub fn add(&mut self, path: &Path) {
        for path in [Some(path), path.parent()].into_iter().flatten() {
            self.0.entry(path.to_owned()).or_insert_with(|| look(path));
        }
    }

    /// True if something is not as it was; from now on it is as it is.
    pub fn has_changed(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.0 {
            let now = look(path);
            changed |= *seen != now;
            *seen = now;
        }
        changed
    }

    /// Returns when something was saved, and `meanwhile` is called again and again until then.
    pub fn wait(&mut self, mut meanwhile: impl FnMut()) {
        while !self.has_changed() {
            meanwhile();
            sleep(PERIOD);
        }
        // Editors write in several steps: until it is quiet.
        sleep(PERIOD / 3);
        while self.has_changed() {
            sleep(PERIOD / 3);
        }
    }
}
