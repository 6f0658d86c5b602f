//! The schedule of a module as a table: each job with its next time and how it went last. Text is made from what the
//! gateway answers; everything it says is there with `-o json`.

use crate::answer;
use crate::options::Output;
use crate::table::Style;
use serde_json::{Value, json};

/// The outcome of a run that went well.
const WELL: &str = "ok";

/// The jobs for people, or as they came for programs.
pub(crate) fn text(data: &Value, output: Output, style: Style) -> String {
    match (output, data) {
        (Output::Table, Value::Array(jobs)) => {
            let rows: Vec<Value> = jobs.iter().map(row).collect();
            answer::text(None, &rows.into(), output, style)
        }
        _ => answer::text(None, data, output, style),
    }
}

fn row(job: &Value) -> Value {
    let zone = job["timezone"].as_str().map(|zone| format!(" {zone}")).unwrap_or_default();
    let last = &job["last"];
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    json!({
        "index": job["index"],
        "cron": format!("{}{zone}", word(&job["cron"])),
        "per": job["per"],
        "next": word(&job["next"]),
        "running": job["running"],
        "skipped": job["skipped"],
        "last": word(&last["began"]),
        "outcome": word(&last["outcome"]),
    })
}

/// Whether a run that was asked for did what it should.
pub(crate) fn went_well(run: &Value) -> bool {
    run["outcome"] == WELL
}
