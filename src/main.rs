//! The process: one binary that is the gateway (`serve`), checks a host for it (`doctor`), checks a data folder
//! (`verify`), is the client of a running one and what a developer of modules works with (`develop`). The order of
//! birth and death is in `serve`.

mod args;
mod combined;
mod cores;
mod develop;
mod doctor;
mod ground;
mod listen;
mod machine;
mod metal;
mod ports;
mod recording;
mod serve;
mod signals;
mod steer;
mod surroundings;
mod topology;
mod verify;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;

/// An API gateway: routes, services and modules, changed while it runs.
#[derive(Parser)]
#[command(name = "tidegate", disable_version_flag = true, args_conflicts_with_subcommands = false)]
struct Cli {
    /// Print the version
    #[arg(long)]
    version: bool,
    #[command(flatten)]
    options: tidegate_ctl::Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway
    #[command(disable_version_flag = true)]
    Serve(Box<args::Serve>),
    /// Check what this host gives the gateway, before it is started
    Doctor(Box<doctor::Doctor>),
    /// Check a data folder that no gateway uses: the state against its hash and against its log
    Verify(verify::Verify),
    #[command(flatten)]
    Client(tidegate_ctl::Client),
}

fn main() -> ExitCode {
    tidegate_ctl::judged(command())
}

fn command() -> ExitCode {
    let matches = develop::commands(Cli::command()).get_matches();
    if let Some(code) = develop::run(&matches) {
        return code;
    }
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if cli.version {
        tidegate_ctl::print(concat!("tidegate ", env!("CARGO_PKG_VERSION"), "\n"));
        return ExitCode::SUCCESS;
    }
    let outcome = match cli.command {
        Some(Command::Serve(_)) => serve::run(&words_after("serve")),
        Some(Command::Doctor(doctor)) => return doctor.run(),
        Some(Command::Verify(verify)) => return verify.run(),
        Some(Command::Client(client)) => return tidegate_ctl::run(&cli.options, client),
        None => {
            Err("what should it do? 'tidegate serve' runs the gateway, 'tidegate --help' shows the rest"
                .into())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tidegate: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The words behind a subcommand: parsed again, behind those of the configuration file.
fn words_after(command: &str) -> Vec<String> {
    std::env::args().skip_while(|word| word != command).skip(1).collect()
}
