//! How things are shown to a developer: places in a source with the line around them, differences, faults. Colours only where
//! the terminal has them.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use tidegate_js::kit::{Change, Fault, diff};
use tidegate_js::{ConsoleLevel, Diagnostic};

/// Colours, or none.
#[derive(Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// For standard output, unless NO_COLOR says otherwise.
    pub fn for_stdout() -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(std::io::stdout().is_terminal() && !is_refused)
    }

    fn with(self, code: &str, text: impl std::fmt::Display) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// Something is well.
    pub fn good(self, text: impl std::fmt::Display) -> String {
        self.with("32", text)
    }

    /// Something is not.
    pub fn bad(self, text: impl std::fmt::Display) -> String {
        self.with("31", text)
    }

    /// Look at it.
    pub fn warn(self, text: impl std::fmt::Display) -> String {
        self.with("33", text)
    }

    /// Beside the point.
    pub fn faint(self, text: impl std::fmt::Display) -> String {
        self.with("2", text)
    }

    /// A heading.
    pub fn bold(self, text: impl std::fmt::Display) -> String {
        self.with("1", text)
    }

    /// A console line.
    pub fn level(self, level: ConsoleLevel, text: &str) -> String {
        match level {
            ConsoleLevel::Debug => self.faint(text),
            ConsoleLevel::Info => text.to_owned(),
            ConsoleLevel::Warn => self.warn(text),
            ConsoleLevel::Error => self.bad(text),
        }
    }
}

/// Puts text on standard output. `false`: nobody takes any more.
pub fn say(text: impl AsRef<str>) -> bool {
    tidegate_ctl::print(text)
}

/// The line of a place with the one before it and a mark below, each behind `indent`. Empty if the file cannot be read.
pub fn frame(file: &str, line: u32, column: u32, indent: &str, paint: Paint) -> String {
    let Ok(source) = std::fs::read_to_string(file) else { return String::new() };
    let mut text = String::new();
    let last = line as usize;
    for (at, code) in source.lines().enumerate().skip(last.saturating_sub(2)).take(last.min(2)) {
        let number = format!("{:>5} | ", at + 1);
        let _ = writeln!(text, "{indent}{}{code}", paint.faint(&number));
        if at + 1 == last {
            // Tabs stay tabs, so that the mark stands below what it means.
            let before = code.chars().take(column.saturating_sub(1) as usize);
            let gap: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let _ = writeln!(text, "{indent}{}{gap}{}", paint.faint("      | "), paint.bad('^'));
        }
    }
    text
}

/// Compile errors, each with its line.
pub fn diagnostics(list: &[Diagnostic], paint: Paint) -> String {
    let mut text = String::new();
    for d in list {
        let _ = writeln!(text, "{} {}:{}:{}: {}", paint.bad("error"), d.module, d.line, d.column, d.message);
        text += &frame(&d.module, d.line, d.column, "  ", paint);
    }
    text
}

/// What went wrong in a test, behind `indent`.
pub fn fault(fault: &Fault, indent: &str, paint: Paint) -> String {
    let mut text = String::new();
    for line in fault.message.lines() {
        let _ = writeln!(text, "{indent}{}", paint.bad(line));
    }
    if let Some((expected, actual)) = &fault.compared {
        let _ = writeln!(text, "{indent}{}  {}", paint.good("- expected"), paint.bad("+ received"));
        for (change, line) in diff(expected, actual) {
            let line = match change {
                Change::Same => format!("  {line}"),
                Change::Removed => paint.good(format!("- {line}")),
                Change::Added => paint.bad(format!("+ {line}")),
            };
            let _ = writeln!(text, "{indent}{line}");
        }
    }
    if let Some((file, line, column)) = fault.place() {
        let _ = writeln!(text, "{indent}{}", paint.faint(format!("at {file}:{line}:{column}")));
        text += &frame(file, line, column, indent, paint);
    }
    for line in fault.stack.lines().skip(1) {
        let _ = writeln!(text, "{indent}{}", paint.faint(line.trim()));
    }
    text
}
