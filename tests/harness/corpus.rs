//! The corpora of other projects: small ones stand beside their test, a large one is read from the shared folder and
//! its test says so where it is not there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// One case.
pub struct Case {
    pub id: String,
    pub bytes: Vec<u8>,
    pub json: serde_json::Value,
}

/// The cases of a file of JSON lines; `None` and a printed reason where it is not there.
pub fn corpus(file: &str, key: &str) -> Option<Vec<Case>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {file} is not there");
        return None;
    };
    let case = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let bytes = STANDARD.decode(json[key].as_str().expect("bytes")).expect("base64");
        Case { id: json["id"].as_str().unwrap_or_default().to_string(), bytes, json }
    };
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(case).collect())
}
