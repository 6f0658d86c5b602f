//! A command that did not work: what, where, why, and what to do, with the exit code that scripts see. Every failure
//! of this package is one of these; nothing else prints to the error stream or chooses an exit code.

use std::fmt::Write as _;

/// Why the process ends with another code than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The gateway answered, and the answer was no.
    Refused = 1,
    /// The command line is wrong; nothing was sent.
    Usage = 2,
    /// No answer of the admin API was received.
    Unreachable = 3,
}

/// One failure, ready to be printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What did not work.
    pub(crate) what: String,
    /// The address or the word concerned.
    pub(crate) at: Option<String>,
    /// Reasons, one line each.
    pub(crate) why: Vec<String>,
    /// What the user can do.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), at: None, why: Vec::new(), hint: None }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(crate) fn at(mut self, at: impl Into<String>) -> Self {
        self.at = Some(at.into());
        self
    }

    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The text for the error stream, with a final line break.
    pub(crate) fn text(&self, color: bool) -> String {
        let (red, bold, plain) = if color { ("\x1b[31;1m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{red}error:{plain} {}\n", self.what);
        let lines = self.at.iter().map(|at| ("at", at)).chain(self.why.iter().map(|why| ("why", why)));
        for (label, line) in lines.chain(self.hint.iter().map(|hint| ("do", hint))) {
            let _ = writeln!(text, "  {bold}{label:<4}{plain}{line}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_where_why_and_what_to_do() {
        let failure = Failure::new(Exit::Refused, "no").at("here").why("a").why("b").hint("try");
        assert_eq!(failure.text(false), "error: no\n  at  here\n  why a\n  why b\n  do  try\n");
        assert!(failure.text(true).starts_with("\x1b[31;1merror:\x1b[0m no"));
    }
}
