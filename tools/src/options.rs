//! Where the admin API is, who is asking, and how answers are shown: flags first, then `TIDEGATE_*`, then `DGATE_*`,
//! then defaults. Values are only gathered here; nothing is contacted or asked.

use crate::address::Address;
use crate::failure::Failure;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// The resource as indented JSON.
    Json,
    /// The resource as YAML.
    Yaml,
}

// The client's flags. They stand before RESOURCE (the top level of the binary flattens them) or after ACTION. `-V` is
// `--verbose` as in `dgate-cli`, so the top level must not give it to `--version`.
#[expect(missing_docs, reason = "clap would print a doc comment here as the description of every command")]
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Admin API")]
pub struct Options {
    /// Address of the admin API [env: TIDEGATE_ADMIN_API, DGATE_ADMIN_API] [default: http://localhost:9080]
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,

    /// Basic authentication; asks for the password when it is left out [env: TIDEGATE_ADMIN_AUTH, DGATE_ADMIN_AUTH]
    #[arg(short, long, value_name = "USER[:PASS]")]
    pub auth: Option<String>,

    /// Follow a follower's redirect to the leader [env: TIDEGATE_FOLLOW_REDIRECTS, DGATE_FOLLOW_REDIRECTS]
    #[arg(short, long)]
    pub follow: bool,

    /// Show on the error stream what is sent and received
    #[arg(short = 'V', long)]
    pub verbose: bool,

    /// How answers are printed: table, json or yaml [env: TIDEGATE_OUTPUT] [default: table]
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    pub output: Option<Output>,
}

/// Options with every default filled in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) admin: Address,
    /// `user` or `user:password`.
    pub(crate) auth: Option<String>,
    pub(crate) follow: bool,
    pub(crate) verbose: bool,
    pub(crate) output: Output,
}

impl Options {
    /// What stands nearer to the action wins.
    pub fn over(self, outer: &Self) -> Self {
        Self {
            admin: self.admin.or_else(|| outer.admin.clone()),
            auth: self.auth.or_else(|| outer.auth.clone()),
            follow: self.follow || outer.follow,
            verbose: self.verbose || outer.verbose,
            output: self.output.or(outer.output),
        }
    }

    /// Fills in the environment and the defaults. An empty variable counts as not set.
    pub(crate) fn resolve(self, env: &dyn Fn(&str) -> Option<String>) -> Result<Settings, Failure> {
        let either = |name: &str| {
            [format!("TIDEGATE_{name}"), format!("DGATE_{name}")]
                .into_iter()
                .find_map(|name| env(&name).filter(|value| !value.is_empty()).map(|value| (name, value)))
        };
        let (from, admin) = match self.admin {
            Some(url) => ("--admin".into(), url),
            None => either("ADMIN_API").unwrap_or(("default".into(), "http://localhost:9080".into())),
        };
        let follow = match either("FOLLOW_REDIRECTS") {
            Some((name, value)) if !self.follow => boolean(&name, &value)?,
            _ => self.follow,
        };
        let output = match (self.output, env("TIDEGATE_OUTPUT").filter(|value| !value.is_empty())) {
            (Some(output), _) => output,
            (None, Some(value)) => clap::ValueEnum::from_str(&value, true).map_err(|_| {
                Failure::usage(format!("TIDEGATE_OUTPUT is {value:?}")).hint("set it to table, json or yaml")
            })?,
            (None, None) => Output::Table,
        };
        Ok(Settings {
            admin: Address::parse(&admin).map_err(|failure| failure.at(format!("{from} {admin}")))?,
            auth: self.auth.or_else(|| either("ADMIN_AUTH").map(|(_, value)| value)),
            follow,
            verbose: self.verbose,
            output,
        })
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, Failure> {
    match crate::value::from_text(crate::FieldType::Boolean, value) {
        Ok(value) => Ok(value == serde_json::Value::Bool(true)),
        Err(expected) => {
            Err(Failure::usage(format!("{name} is {value:?}")).hint(format!("set it to {expected}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(options: Options, env: &[(&str, &str)]) -> Result<Settings, Failure> {
        options.resolve(&|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
    }

    #[test]
    fn flags_win_over_tidegate_over_dgate_over_defaults() {
        let flag = Options { admin: Some("flag:1".into()), ..Options::default() };
        let both = [("TIDEGATE_ADMIN_API", "http://ours:2"), ("DGATE_ADMIN_API", "http://theirs:3")];
        for (options, env, admin) in [
            (flag, &both[..], "http://flag:1"),
            (Options::default(), &both[..], "http://ours:2"),
            (Options::default(), &both[1..], "http://theirs:3"),
            (Options::default(), &[("DGATE_ADMIN_API", "")], "http://localhost:9080"),
        ] {
            assert_eq!(resolve(options, env).expect("settings").admin.to_string(), admin);
        }
        let settings = resolve(
            Options::default(),
            &[("DGATE_ADMIN_AUTH", "u:p"), ("DGATE_FOLLOW_REDIRECTS", "true"), ("TIDEGATE_OUTPUT", "json")],
        )
        .expect("settings");
        assert_eq!((settings.auth.as_deref(), settings.follow), (Some("u:p"), true));
        assert_eq!(settings.output, Output::Json);
    }

    #[test]
    fn nonsense_in_the_environment_is_named() {
        for (env, named) in [
            (("DGATE_FOLLOW_REDIRECTS", "maybe"), "DGATE_FOLLOW_REDIRECTS"),
            (("TIDEGATE_OUTPUT", "xml"), "TIDEGATE_OUTPUT"),
            (("DGATE_ADMIN_API", "https://gw"), "DGATE_ADMIN_API"),
        ] {
            let failure = resolve(Options::default(), &[env]).expect_err("refused");
            assert!(failure.text(false).contains(named), "{failure:?}");
        }
    }
}
