//! Text in and out: the console's lines, UTF-8, and stack traces in the user's positions.

use std::rc::Rc;

use rquickjs::{Ctx, Exception, Function as JsFunction, Object, TypedArray, Value};

use super::{Text, bytes_of};
use crate::bridge::Bridge;
use crate::host::ConsoleLevel;
use crate::specifier::bare;
use crate::stack::is_ours;

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>, bridge: &Rc<Bridge>) -> rquickjs::Result<()> {
    table.set("lineCap", bridge.limits.console_line_bytes as u32)?;
    let b = bridge.clone();
    let log = move |ctx: Ctx<'js>, level: u8, Text(text): Text| {
        let level = match level {
            0 => ConsoleLevel::Debug,
            1 => ConsoleLevel::Info,
            2 => ConsoleLevel::Warn,
            _ => ConsoleLevel::Error,
        };
        let line = console_line(&text, b.limits.console_line_bytes);
        match speaker(&ctx) {
            Some(name) => b.host.console(bare(&name), level, &line),
            None => b.host.console(&b.module, level, &line),
        }
    };
    table.set("log", JsFunction::new(ctx.clone(), log)?)?;
    let b = bridge.clone();
    let map = move |stack: Text| b.maps.map(&stack.0);
    table.set("mapStack", JsFunction::new(ctx.clone(), map)?)?;

    // Copied: what the engine did not allocate is in no module's heap and under no bound.
    let encode = |ctx: Ctx<'js>, text: Text| TypedArray::<u8>::new_copy(ctx, text.0.as_bytes());
    table.set("utf8Encode", JsFunction::new(ctx.clone(), encode)?)?;
    let decode = |ctx: Ctx<'js>, data: Value<'js>, fatal: bool, keep_bom: bool| {
        let bytes = bytes_of(&ctx, &data)?;
        let bytes = if keep_bom { &bytes[..] } else { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes) };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) if fatal => Err(Exception::throw_type(&ctx, "the data is not valid UTF-8")),
            Err(_) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        }
    };
    table.set("utf8Decode", JsFunction::new(ctx.clone(), decode)?)
}

/// The user module whose code called the console, where the engine can tell.
fn speaker(ctx: &Ctx<'_>) -> Option<String> {
    let atom = ctx.script_or_module_name(CONSOLE_FRAMES)?;
    let name = atom.to_string().ok()?;
    (!name.is_empty() && !is_ours(&name)).then_some(name)
}

/// Frames of the prelude's console between the module's and this package.
const CONSOLE_FRAMES: isize = 2;

/// One line for the log: control characters escaped, cut at `cap` bytes.
pub(crate) fn console_line(text: &str, cap: usize) -> String {
    let mut line = String::with_capacity(text.len().min(cap));
    for c in text.chars() {
        let separator = matches!(c, '\u{2028}' | '\u{2029}') || is_direction_mark(c);
        if c == '\t' {
            line.push(' ');
        } else if c.is_control() || separator {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        if line.len() > cap {
            let mut end = cap.saturating_sub(3);
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    line
}

/// Marks that make a terminal show a line in another order than it was written.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (text, cap, line) in [
            ("plain äöü", 100, "plain äöü"),
            ("a\nb\r\x1b[31m\0", 100, "a\\nb\\r\\u{1b}[31m\\u{0}"),
            ("tab\there", 100, "tab here"),
            ("\u{2028}\u{202e}", 100, "\\u{2028}\\u{202e}"),
            ("aaaaaaaaaa", 8, "aaaaa…"),
            ("ääääää", 8, "ää…"),
        ] {
            assert_eq!(console_line(text, cap), line);
            assert!(console_line(text, cap).len() <= cap);
        }
    }
}
