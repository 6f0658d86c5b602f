//! What a developer of modules does with the binary: `tidegate module init`, `test`, `run` and `dev`. Files, the terminal and
//! the way to a gateway are here; what runs modules is the kit of tidegate-js. Nothing of it is reached while serving.

mod dev;
mod files;
mod init;
mod message;
mod once;
mod print;
mod testing;
mod watch;

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use std::process::ExitCode;
use tidegate_ctl::Options;

// The commands, beside those that the client has for `module`. A doc comment would replace what that says of itself.
#[derive(Subcommand)]
enum Develop {
    /// Write a new project: a module, its test, types and a configuration that runs it
    #[command(disable_version_flag = true)]
    Init(init::Init),
    /// Run *.test.ts files in the gateway's engine, without a gateway
    #[command(disable_version_flag = true)]
    Test(testing::Test),
    /// Send one request through a module and show what each function did
    #[command(disable_version_flag = true)]
    Run(once::Run),
    /// Push a project to a running gateway whenever a file is saved, and show what its next requests do
    #[command(disable_version_flag = true)]
    Dev(dev::Dev),
}

/// The command line with these commands in it.
pub fn commands(top: Command) -> Command {
    top.mut_subcommand("module", Develop::augment_subcommands)
}

/// Runs one of these commands, if it is one that was typed.
pub fn run(matches: &ArgMatches) -> Option<ExitCode> {
    let (name, below) = matches.subcommand()?;
    let is_ours = name == "module" && below.subcommand_name().is_some_and(Develop::has_subcommand);
    let develop = Develop::from_arg_matches(below).ok().filter(|_| is_ours)?;
    let outcome = match develop {
        Develop::Init(init) => init.run(),
        Develop::Test(test) => test.run(),
        Develop::Run(run) => run.run(),
        Develop::Dev(dev) => dev.run(&Options::from_arg_matches(matches).unwrap_or_default()),
    };
    Some(outcome.unwrap_or_else(|why| {
        eprintln!("tidegate: {why}");
        ExitCode::from(2)
    }))
}
