//! What calls of modules cost by themselves. The calls are made by `js/examples/cost.rs`, which is built and run here.

use crate::Failure;
use crate::arguments::{Calls, Output};
use crate::cost::{self, Example};

/// Measures, and gives what is to be printed for an earlier result, if there is one, to compare with.
pub(crate) fn run(options: &Calls) -> Result<String, Failure> {
    let before =
        options.against.as_deref().map(cost::read).transpose()?.map_or(Vec::new(), |(_, calls)| calls);
    let valgrind = if options.instructions { Some(cost::valgrind()?) } else { None };
    let example = Example::build("tidegate-js", "cost")?;
    let mut calls = example.calls(|name| name.contains(&options.only))?;
    if calls.is_empty() {
        return Err(format!("no call has {:?} in its name", options.only));
    }
    if let Some(valgrind) = valgrind {
        example.count(&valgrind, &mut calls)?;
    }
    Ok(match options.output {
        Output::Table => cost::table(&calls, &before),
        Output::Json => format!("{:#}\n", cost::to_json(&calls)),
    })
}
