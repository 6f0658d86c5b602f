//! `tidegate verify`: whether a data folder's state is what its log says. For after a crash, and for backups.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use tidegate_admin::resource::ResourceRules;
use tidegate_admin::store::verify;

/// The command.
#[derive(Parser)]
pub struct Verify {
    /// The data folder of a gateway that does not run
    #[arg(long, value_name = "DIR", default_value = "tidegate-data")]
    data_dir: PathBuf,
}

impl Verify {
    /// Prints the report as JSON. Exit code 0: everything agrees; 1: it does not, or the folder cannot be read.
    pub fn run(&self) -> ExitCode {
        match verify(&self.data_dir, &ResourceRules::default()) {
            Ok(report) => {
                tidegate_ctl::print(format!("{}\n", serde_json::to_string(&report).unwrap_or_default()));
                if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(why) => {
                eprintln!("tidegate: {why}");
                ExitCode::FAILURE
            }
        }
    }
}
