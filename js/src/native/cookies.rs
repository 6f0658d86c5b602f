//! One cookie of the request's (RFC 6265, section 4.2), read where it stands. `prelude/cookies.js` reads all of them, and
//! must find the same.

use rquickjs::{Ctx, Object, Value};

use super::hot::{self, Utf8};
use crate::host::{Exchange, Side};

/// `cookie(g, name)`: the value of the first cookie of that name, or undefined.
pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    hot::install(ctx, table, c"cookie", |ctx, bridge, [g, name]| {
        let name = Utf8::read(ctx, name)?;
        let generation = hot::integer(g).unwrap_or(u32::MAX);
        let found = bridge.ask(ctx, generation, |exchange| {
            // No cookie has half a surrogate pair in its name.
            std::str::from_utf8(name.bytes()).ok().and_then(|name| first(exchange, name))
        })?;
        match found {
            Some(value) => Ok(hot::string(ctx.as_raw().as_ptr(), value.as_bytes())),
            None => Ok(hot::hand_over(Value::new_undefined(ctx.clone()))),
        }
    })
}

fn first(exchange: &dyn Exchange, name: &str) -> Option<String> {
    let mut found = None;
    exchange.field(Side::Request, "Cookie", &mut |line| {
        if found.is_none() {
            found = in_line(&String::from_utf8_lossy(line), name).map(str::to_owned);
        }
    });
    found
}

fn in_line<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let pairs = line.split(';').filter_map(|piece| piece.split_once('='));
    let mut named = pairs.filter(|(known, _)| trimmed(known) == name);
    named.next().map(|(_, value)| unquoted(trimmed(value)))
}

/// As JavaScript trims.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace() && c != '\u{85}')
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name() {
        for (line, name, expected) in [
            ("a=1", "a", Some("1")),
            ("a=1", "b", None),
            ("theme=dark; session=x=y==", "session", Some("x=y==")),
            (" a = 1 ;a=2", "a", Some("1")),
            ("a; a=2", "a", Some("2")),
            ("a=\"1\"; b=\"", "a", Some("1")),
            ("a=\"1\"; b=\"", "b", Some("\"")),
            ("a=\"\"", "a", Some("")),
            ("a=", "a", Some("")),
            ("A=1", "a", None),
            ("=1", "", Some("1")),
            ("\u{feff}a\u{a0}=\u{85}1\u{2003}", "a", Some("\u{85}1")),
            ("", "a", None),
        ] {
            assert_eq!(in_line(line, name), expected, "{line} {name}");
        }
    }
}
