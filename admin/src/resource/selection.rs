//! An entry of a route's list of modules: which module, which part of the traffic, under which conditions. Text to
//! meaning and back, and the rules that a list must keep by itself. It knows no module and no request.
//!
//! `NAME[:VERSION][@SHARE%][;by=client|header:NAME|cookie:NAME][;when=CONDITION]*`, where a condition is
//! `[!]header:NAME[=VALUE]`, `[!]cookie:NAME[=VALUE]`, `[!]query:NAME[=VALUE]`, `[!]method=METHOD` or `[!]path=/PREFIX`.

use super::name;
use crate::invalid::Invalid;
use std::fmt;
use std::str::FromStr;
use tidegate_snapshot::{Condition, Sticky, Subject};

/// Longest entry in bytes.
const MAX_ENTRY: usize = 1_024;
/// Most conditions of an entry.
const MAX_CONDITIONS: usize = 16;
/// All of the traffic, in parts per million.
pub(crate) const ALL: u32 = 1_000_000;

const LIKE: &str = "like 'auth', 'auth:2@10%;by=cookie:uid' or 'auth;when=header:x-beta'";
const CONDITIONS: &str = "write ;when=header:NAME, ;when=cookie:NAME=VALUE, ;when=query:NAME, ;when=method=POST or \
                          ;when=path=/prefix, with ! before it for the opposite";

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The module's name without its version. Entries of one name are one stage.
    pub(crate) name: String,
    /// The version; `None` is the module that has none.
    pub(crate) version: Option<String>,
    /// Part of the traffic in parts per million; `None` is all of it.
    pub(crate) share: Option<u32>,
    /// Whose requests the share keeps together.
    pub(crate) sticky: Sticky,
    /// All must hold.
    pub(crate) when: Vec<Condition>,
}

impl Selection {
    /// The name of the module resource.
    pub(crate) fn module(&self) -> String {
        match &self.version {
            Some(version) => format!("{}:{version}", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether every request that comes so far gets it.
    pub(crate) fn is_plain(&self) -> bool {
        self.share.is_none() && self.when.is_empty()
    }
}

/// A token of RFC 9110 section 5.6.2: names of fields and cookies (RFC 6265 section 4.1.1), methods.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// `10`, `0.01`: percent with up to four decimals, as parts per million.
pub(crate) fn share(percent: &str) -> Option<u32> {
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    if !digits(whole, 3) || !digits(decimals, 4) {
        return None;
    }
    let parts = format!("{whole}{decimals:0<4}").parse().ok()?;
    (parts <= ALL).then_some(parts)
}

/// The opposite of [`share`], without needless zeros.
pub(crate) fn percent(parts: u32) -> String {
    let text = format!("{}.{:04}", parts / 10_000, parts % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MAX_ENTRY {
            return Err(format!("is longer than {MAX_ENTRY} bytes"));
        }
        let mut parts = text.split(';');
        let head = parts.next().unwrap_or_default();
        let (module, part) = match head.split_once('@') {
            Some((module, part)) => (module, Some(part)),
            None => (head, None),
        };
        if !name::is_module_name(module) {
            return Err(format!("'{module}' is no module: write NAME or NAME:VERSION, {LIKE}"));
        }
        let (name, version) = name::split_version(module);
        let share = match part {
            None => None,
            Some(part) => Some(part.strip_suffix('%').and_then(share).ok_or_else(|| {
                format!("'@{part}' is no share: write 0 to 100 percent with up to 4 decimals, like '{module}@0.5%'")
            })?),
        };
        let (mut sticky, mut when) = (None, Vec::new());
        for part in parts {
            if let Some(who) = part.strip_prefix("by=") {
                if share.is_none() {
                    return Err(format!(
                        "';by=' says whose requests a share keeps together, and there is no share: write '{module}@10%;{part}'"
                    ));
                }
                if sticky.replace(by(who)?).is_some() {
                    return Err("';by=' stands twice: a share goes by one thing".into());
                }
            } else if let Some(condition) = part.strip_prefix("when=") {
                when.push(self::condition(condition)?);
            } else {
                return Err(format!(
                    "';{part}' is not understood: ';by=' and ';when=' may follow a module, {LIKE}"
                ));
            }
        }
        if when.len() > MAX_CONDITIONS {
            return Err(format!("has more than {MAX_CONDITIONS} conditions"));
        }
        let (name, version) = (name.to_owned(), version.map(str::to_owned));
        Ok(Self { name, version, share, sticky: sticky.unwrap_or(Sticky::Client), when })
    }
}

fn by(who: &str) -> Result<Sticky, String> {
    match who.split_once(':') {
        None if who == "client" => Ok(Sticky::Client),
        Some(("header", name)) if is_token(name) => {
            Ok(Sticky::Header(name.to_ascii_lowercase().into_bytes().into()))
        }
        Some(("cookie", name)) if is_token(name) => Ok(Sticky::Cookie(name.as_bytes().into())),
        _ => Err(format!(
            "'{who}' is nothing that a share can go by: write ;by=client, ;by=header:NAME or ;by=cookie:NAME"
        )),
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    let wrong = || format!("'{text}' is no condition: {CONDITIONS}");
    let (is_negated, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
    let (what, value) = rest.split_once('=').map_or((rest, None), |(what, value)| (what, Some(value)));
    if value.is_some_and(|value| value.chars().any(char::is_control)) {
        return Err(wrong());
    }
    let subject = match (what.split_once(':'), value) {
        (Some(("header", name)), _) if is_token(name) => {
            Subject::Header(name.to_ascii_lowercase().into_bytes().into())
        }
        (Some(("cookie", name)), _) if is_token(name) => Subject::Cookie(name.as_bytes().into()),
        (Some(("query", name)), _) if !name.is_empty() && !name.chars().any(char::is_control) => {
            Subject::Query(name.as_bytes().into())
        }
        (None, Some(method)) if what == "method" && is_token(method) => Subject::Method,
        (None, Some(path)) if what == "path" && path.starts_with('/') => Subject::PathPrefix,
        _ => return Err(wrong()),
    };
    Ok(Condition { is_negated, subject, value: value.map(|value| value.as_bytes().into()) })
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.module())?;
        if let Some(parts) = self.share {
            write!(f, "@{}%", percent(parts))?;
        }
        match &self.sticky {
            Sticky::Client => {}
            Sticky::Header(name) => write!(f, ";by=header:{}", String::from_utf8_lossy(name))?,
            Sticky::Cookie(name) => write!(f, ";by=cookie:{}", String::from_utf8_lossy(name))?,
        }
        for condition in &self.when {
            let (what, name): (_, &[u8]) = match &condition.subject {
                Subject::Header(name) => ("header:", name),
                Subject::Cookie(name) => ("cookie:", name),
                Subject::Query(name) => ("query:", name),
                Subject::Method => ("method", b""),
                Subject::PathPrefix => ("path", b""),
            };
            let not = if condition.is_negated { "!" } else { "" };
            write!(f, ";when={not}{what}{}", String::from_utf8_lossy(name))?;
            if let Some(value) = &condition.value {
                write!(f, "={}", String::from_utf8_lossy(value))?;
            }
        }
        Ok(())
    }
}

/// Reads a list; what cannot be read is left out.
pub(crate) fn all(list: &[String]) -> Vec<Selection> {
    list.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Everything that is wrong with a route's list by itself.
pub(crate) fn check(at: &str, list: &[String], faults: &mut Vec<Invalid>) {
    let mut read: Vec<Selection> = Vec::new();
    for (index, text) in list.iter().enumerate() {
        let mut fault = |why: String| faults.push(Invalid::new(format!("{at}[{index}]"), why));
        let one: Selection = match text.parse() {
            Ok(one) => one,
            Err(why) => {
                fault(why);
                continue;
            }
        };
        if read.contains(&one) {
            fault("this module stands twice".into());
            continue;
        }
        let mut others = read.iter().filter(|other| other.name == one.name);
        if one.is_plain()
            && let Some(other) = others.clone().find(|other| other.is_plain())
        {
            fault(format!(
                "'{}' and '{}' would both take every request: give one of them a share or a condition, like '{}@10%'",
                other.module(),
                one.module(),
                one.module()
            ));
        }
        // Those under conditions may be about different requests.
        let taken: u32 =
            others.by_ref().filter(|other| other.when == one.when).filter_map(|other| other.share).sum();
        if let Some(share) = one.share
            && taken.saturating_add(share) > ALL
        {
            fault(format!("with {} % the shares of '{}' are more than 100 %", percent(share), one.name));
        }
        read.push(one);
    }
}

/// The stages of a list as indexes into it: entries of one name are one stage, where the first of them stands, and those
/// with a share or a condition come before the one that takes the rest.
pub(crate) fn stages(list: &[Selection]) -> Vec<Vec<usize>> {
    let mut stages: Vec<Vec<usize>> = Vec::new();
    for (index, one) in list.iter().enumerate() {
        match stages.iter_mut().find(|stage| list[stage[0]].name == one.name) {
            Some(stage) => stage.push(index),
            None => stages.push(vec![index]),
        }
    }
    stages.iter_mut().for_each(|stage| stage.sort_by_key(|index| list[*index].is_plain()));
    stages
}

#[cfg(test)]
mod tests;
