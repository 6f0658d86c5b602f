//! URLs and URL patterns as the standards parse them, over the crates `url` and `urlpattern`. Nothing is kept here:
//! JavaScript holds a URL as its text. The regular expressions of patterns are the engine's, under its budget.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rquickjs::{Array, Ctx, Exception, Function as JsFunction, Object, Value};
use url::{Url, quirks};
use urlpattern::quirks as pattern;
use urlpattern::{UrlPatternInit, UrlPatternOptions};

use super::Text;

/// Longest pattern, and longest URL that one is tried on.
const MAX_PATTERN_BYTES: usize = 64 << 10;

/// Longest URL, and longest part that is set in one: parsing cannot be interrupted.
const MAX_URL_BYTES: usize = 1 << 20;

/// Parts of a URL by their numbers in the prelude, from 1; 0 is the whole.
const SETTERS: [fn(&mut Url, &str); 9] = [
    |url, value| quirks::set_protocol(url, value).unwrap_or(()),
    |url, value| quirks::set_username(url, value).unwrap_or(()),
    |url, value| quirks::set_password(url, value).unwrap_or(()),
    |url, value| quirks::set_host(url, value).unwrap_or(()),
    |url, value| quirks::set_hostname(url, value).unwrap_or(()),
    |url, value| quirks::set_port(url, value).unwrap_or(()),
    quirks::set_pathname,
    quirks::set_search,
    quirks::set_hash,
];

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    // `parse(text, base)` gives the parts, or undefined.
    let parse = |ctx: Ctx<'js>, text: Text, base: Value<'js>| {
        let base = match optional(&ctx, base)? {
            Some(base) => match parsed(&base, None) {
                Some(base) => Some(base),
                None => return Ok(None),
            },
            None => None,
        };
        Ok::<_, rquickjs::Error>(parsed(&text.0, base.as_ref()).map(|url| parts(&url)))
    };
    table.set("urlParse", JsFunction::new(ctx.clone(), parse)?)?;
    // `set(href, which, value)` gives the parts as they are then; a value that cannot be leaves them.
    let set = |href: Text, which: usize, value: Text| {
        let mut url = parsed(&href.0, None).filter(|_| value.0.len() <= MAX_URL_BYTES)?;
        let setter = SETTERS.get(which.checked_sub(1)?)?;
        let done = catch_unwind(AssertUnwindSafe(|| {
            setter(&mut url, &value.0);
            parts(&url)
        }));
        done.ok()
    };
    table.set("urlSet", JsFunction::new(ctx.clone(), set)?)?;
    table.set("patternParse", JsFunction::new(ctx.clone(), parse_pattern)?)?;
    table.set("patternInput", JsFunction::new(ctx.clone(), pattern_input)?)
}

fn optional<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<Option<String>> {
    if value.is_undefined() {
        return Ok(None);
    }
    rquickjs::FromJs::from_js(ctx, value).map(|Text(text)| Some(text))
}

/// A parser that fell over has not understood the text.
fn parsed(text: &str, base: Option<&Url>) -> Option<Url> {
    if text.len() > MAX_URL_BYTES {
        return None;
    }
    catch_unwind(AssertUnwindSafe(|| Url::options().base_url(base).parse(text).ok())).ok().flatten()
}

fn parts(url: &Url) -> Vec<String> {
    let parts = [
        quirks::href(url),
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
    parts.push(quirks::origin(url));
    parts
}

/// A regular expression in the engine's syntax, which only the engine can judge.
struct Expression(String);

impl urlpattern::regexp::RegExp for Expression {
    fn syntax() -> urlpattern::parser::RegexSyntax {
        urlpattern::parser::RegexSyntax::EcmaScript
    }

    fn parse(text: &str, _: &str, _: bool) -> Result<Self, ()> {
        Ok(Expression(text.to_owned()))
    }

    // Asked only whether a protocol's expression allows one of the special schemes.
    fn matches<'a>(&self, text: &'a str) -> Option<Vec<Option<&'a str>>> {
        let expression = regex::RegexBuilder::new(&self.0).size_limit(1 << 20).build().ok()?;
        expression.is_match(text).then(Vec::new)
    }

    fn pattern_string(&self) -> &str {
        &self.0
    }
}

/// What the prelude gives for a pattern or an input: a text, or an array of the eight parts and the base URL.
enum Given {
    Text(String),
    Parts(pattern::UrlPatternInit),
}

fn given<'js>(ctx: &Ctx<'js>, input: Value<'js>) -> rquickjs::Result<Given> {
    let mut total = 0;
    let mut bounded = |value: Value<'js>| {
        let text = optional(ctx, value)?;
        total += text.as_ref().map_or(0, String::len);
        match total > MAX_PATTERN_BYTES {
            true => Err(Exception::throw_range(ctx, "URLPattern: the text is longer than 64 KiB")),
            false => Ok(text),
        }
    };
    let Some(array) = input.as_array().cloned() else {
        return bounded(input).map(|text| Given::Text(text.unwrap_or_default()));
    };
    let mut part = |i| bounded(array.get::<Value<'js>>(i)?);
    Ok(Given::Parts(pattern::UrlPatternInit {
        protocol: part(0)?,
        username: part(1)?,
        password: part(2)?,
        hostname: part(3)?,
        port: part(4)?,
        pathname: part(5)?,
        search: part(6)?,
        hash: part(7)?,
        base_url: part(8)?,
    }))
}

/// `[hasRegExpGroups, pattern, expression, group names, … for the eight parts]`, or the reason why it is no pattern.
fn parse_pattern<'js>(
    ctx: Ctx<'js>,
    input: Value<'js>,
    base: Value<'js>,
    ignore_case: bool,
) -> rquickjs::Result<Value<'js>> {
    let (input, base) = (given(&ctx, input)?, optional(&ctx, base)?);
    let made = catch_unwind(|| {
        let init = match input {
            Given::Text(text) => {
                let base = base.as_deref().map(Url::parse).transpose().map_err(|e| e.to_string())?;
                UrlPatternInit::parse_constructor_string::<Expression>(&text, base)
                    .map_err(|e| e.to_string())?
            }
            Given::Parts(parts) => {
                let input = pattern::StringOrInit::Init(parts);
                pattern::process_construct_pattern_input(input, base.as_deref()).map_err(|e| e.to_string())?
            }
        };
        let options = UrlPatternOptions { ignore_case, ..Default::default() };
        pattern::parse_pattern::<Expression>(init, options).map_err(|e| e.to_string())
    });
    let refuse = |why: &str| Exception::throw_type(&ctx, &format!("URLPattern: {why}"));
    let made = made.unwrap_or_else(|_| Err("this cannot be parsed".into())).map_err(|why| refuse(&why))?;
    let out = Array::new(ctx.clone())?;
    out.set(0, made.has_regexp_groups)?;
    let components = [
        made.protocol,
        made.username,
        made.password,
        made.hostname,
        made.port,
        made.pathname,
        made.search,
        made.hash,
    ];
    for (i, component) in components.into_iter().enumerate() {
        out.set(1 + i * 3, component.pattern_string)?;
        out.set(2 + i * 3, component.regexp_string)?;
        out.set(3 + i * 3, component.group_name_list)?;
    }
    Ok(out.into_value())
}

/// The eight parts of what a pattern is tried on; undefined if it is no URL.
fn pattern_input<'js>(
    ctx: Ctx<'js>,
    input: Value<'js>,
    base: Value<'js>,
) -> rquickjs::Result<Option<Vec<String>>> {
    let (input, base) = (given(&ctx, input)?, optional(&ctx, base)?);
    let input = match input {
        Given::Text(text) => pattern::StringOrInit::String(text.into()),
        Given::Parts(parts) => pattern::StringOrInit::Init(parts),
    };
    let made = catch_unwind(|| match pattern::process_match_input(input, base.as_deref()) {
        Ok(found) => Ok(found.and_then(|(input, _)| pattern::parse_match_input(input))),
        Err(e) => Err(e.to_string()),
    });
    let refuse = |why: String| Exception::throw_type(&ctx, &format!("URLPattern: {why}"));
    let made = made.unwrap_or(Ok(None)).map_err(refuse)?;
    Ok(made
        .map(|i| vec![i.protocol, i.username, i.password, i.hostname, i.port, i.pathname, i.search, i.hash]))
}
