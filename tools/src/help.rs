//! The keys of a kind as help shows them: type, default, whether they are required, and an example. It is text made
//! from the table and never knows a kind by name.

use crate::command::Action;
use crate::field::{Field, Kind};
use crate::request;
use std::fmt::Write as _;

/// What stands below the usage of `KIND ACTION --help`.
pub(crate) fn keys(kind: &Kind, action: Action) -> String {
    let allowed = request::allowed(kind, action);
    let mut text = String::new();
    if !allowed.is_empty() {
        text.push_str("Keys:\n");
        let required = request::required(kind, action);
        let rows: Vec<[String; 4]> = allowed.iter().map(|field| row(field, &required)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for [key, value, need, doc] in &rows {
            let _ = writeln!(
                text,
                "  {key:<w0$}  {value:<w1$}  {need:<w2$}  {doc}",
                w0 = widths[0],
                w1 = widths[1],
                w2 = widths[2]
            );
        }
    }
    let example = match action {
        Action::Create => kind.example.into(),
        Action::List if kind.collected() => "collection=links limit=10".into(),
        Action::List if kind.namespaced() => "namespace=shop".into(),
        Action::List => String::new(),
        Action::Get | Action::Delete => {
            request::required(kind, action).iter().map(|field| field.example).collect::<Vec<_>>().join(" ")
        }
    };
    let space = if example.is_empty() { "" } else { " " };
    let _ = write!(text, "\nExample:\n  tidegate {} {}{space}{example}", kind.name, action.name());
    text.trim_start().into()
}

fn row(field: &Field, required: &[Field]) -> [String; 4] {
    let need = if required.iter().any(|other| other.key == field.key) {
        "required".into()
    } else if field.default.is_empty() {
        "-".into()
    } else {
        format!("= {}", field.default)
    };
    [field.key.into(), field.value.name(), need, format!("{} ({})", field.doc, field.example)]
}
