//! How a line looks: JSON, one of Apache's two formats, or a template of the operator's, taken apart once at the start. What
//! a format does not name costs nothing.

use super::escape::Delimiters;
use super::redact::Redaction;

/// The common log format, as Apache's `LogFormat "%h %l %u %t \"%r\" %>s %b"`. Nobody's identity is known here.
const CLF: &str = "%{client} - - %{at_clf} \"%{request}\" %{status} %{body_bytes}";
/// Apache's `combined`: the same, and `\"%{Referer}i\" \"%{User-agent}i\"`.
const COMBINED: &str = "%{client} - - %{at_clf} \"%{request}\" %{status} %{body_bytes} \"%{req.referer}\" \
                        \"%{req.user-agent}\"";

/// A line's format.
#[derive(Clone, Debug)]
pub struct RecordFormat(pub(super) Shape);

#[derive(Clone, Debug)]
pub(super) enum Shape {
    Json,
    Template(Box<Template>),
}

/// A template taken apart.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
    /// What follows the last field, and the line feed.
    pub(super) end: Box<[u8]>,
    /// Names of response fields that it shows, in lower case, each once.
    pub(super) said: Vec<Box<str>>,
    /// What must not stand in a field that is not in quotation marks.
    pub(super) bare: Delimiters,
    pub(super) quoted: Delimiters,
}

/// Text and the field after it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) before: Box<[u8]>,
    pub(super) field: Field,
    pub(super) is_quoted: bool,
}

/// What a placeholder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    At,
    AtMs,
    AtClf,
    Shard,
    Client,
    Method,
    Scheme,
    Host,
    Path,
    Query,
    Request,
    Version,
    Route,
    Service,
    Status,
    Fault,
    ReceivedBytes,
    SentBytes,
    BodyBytes,
    DurationUs,
    TaxUs,
    ModuleUs,
    ConnectUs,
    FirstByteUs,
    TransferUs,
    WaitUs,
    SampleRate,
    /// A field of the request by its name in lower case, and whether it is a credential.
    Asked(Box<str>, bool),
    /// A field of the response: which of [`Template::said`], and whether it is a credential.
    Said(usize, bool),
}

const NAMES: [(&str, Field); 27] = [
    ("at", Field::At),
    ("at_ms", Field::AtMs),
    ("at_clf", Field::AtClf),
    ("shard", Field::Shard),
    ("client", Field::Client),
    ("method", Field::Method),
    ("scheme", Field::Scheme),
    ("host", Field::Host),
    ("path", Field::Path),
    ("query", Field::Query),
    ("request", Field::Request),
    ("version", Field::Version),
    ("route", Field::Route),
    ("service", Field::Service),
    ("status", Field::Status),
    ("fault", Field::Fault),
    ("received_bytes", Field::ReceivedBytes),
    ("sent_bytes", Field::SentBytes),
    ("body_bytes", Field::BodyBytes),
    ("duration_us", Field::DurationUs),
    ("tax_us", Field::TaxUs),
    ("module_us", Field::ModuleUs),
    ("connect_us", Field::ConnectUs),
    ("first_byte_us", Field::FirstByteUs),
    ("transfer_us", Field::TransferUs),
    ("wait_us", Field::WaitUs),
    ("sample_rate", Field::SampleRate),
];

impl Default for RecordFormat {
    fn default() -> Self {
        Self(Shape::Json)
    }
}

impl RecordFormat {
    /// `json`, `clf`, `combined`, or a template with `%{name}` in it.
    ///
    /// # Errors
    /// What is none of these, a name that is not known (with the list of those that are), and a template of more than one
    /// line: each record is one.
    pub fn parse(text: &str, redaction: &Redaction) -> Result<Self, String> {
        let template = match text {
            "json" => return Ok(Self(Shape::Json)),
            "clf" => CLF,
            "combined" => COMBINED,
            template if template.contains("%{") => template,
            _ => {
                return Err(format!(
                    "'{text}' is no format: write json, clf, combined, or a template such as \
                     '%{{client}} %{{method}} %{{path}} %{{status}}'"
                ));
            }
        };
        Template::parse(template, redaction).map(|template| Self(Shape::Template(Box::new(template))))
    }

    /// The fields of responses that lines show.
    pub(super) fn said(&self) -> &[Box<str>] {
        match &self.0 {
            Shape::Json => &[],
            Shape::Template(template) => &template.said,
        }
    }
}

impl Template {
    fn parse(text: &str, redaction: &Redaction) -> Result<Self, String> {
        if text.contains(['\n', '\r', '\0']) {
            return Err("the template must be one line: each record is one".into());
        }
        let mut template = Self {
            pieces: Vec::new(),
            end: Box::default(),
            said: Vec::new(),
            bare: Delimiters::quotes(),
            quoted: Delimiters::quotes(),
        };
        // Most readers split at blanks, whatever the template says.
        b" \t".iter().for_each(|byte| template.bare.add(*byte));
        let (mut rest, mut before, mut is_quoted) = (text, String::new(), false);
        while let Some(c) = rest.chars().next() {
            if let Some(inner) = rest.strip_prefix("%{") {
                let (name, after) =
                    inner.split_once('}').ok_or_else(|| format!("'{rest}' in the template lacks its }}"))?;
                let field = template.field(name, redaction)?;
                let before = std::mem::take(&mut before).into_bytes().into();
                template.pieces.push(Piece { before, field, is_quoted });
                let is_text = !is_quoted && !after.starts_with("%{");
                if let (true, Some(byte)) = (is_text, after.bytes().next()) {
                    template.bare.add(byte);
                }
                rest = after;
                continue;
            }
            // `%%` is a percent sign; one alone is itself.
            let width = if rest.starts_with("%%") { 2 } else { c.len_utf8() };
            is_quoted ^= c == '"';
            before.push(c);
            rest = &rest[width..];
        }
        if template.pieces.is_empty() {
            return Err("the template shows nothing of a request: name a field as in %{path}".into());
        }
        before.push('\n');
        template.end = before.into_bytes().into();
        Ok(template)
    }

    fn field(&mut self, name: &str, redaction: &Redaction) -> Result<Field, String> {
        if let Some((_, field)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(field.clone());
        }
        let of =
            |prefix| name.strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_ascii_lowercase);
        if let Some(name) = of("req.") {
            let is_hidden = redaction.hides_field(&name);
            return Ok(Field::Asked(name.into(), is_hidden));
        }
        if let Some(name) = of("resp.") {
            let is_hidden = redaction.hides_field(&name);
            let at = self.said.iter().position(|known| **known == *name).unwrap_or_else(|| {
                self.said.push(name.into());
                self.said.len() - 1
            });
            return Ok(Field::Said(at, is_hidden));
        }
        let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
        Err(format!(
            "%{{{name}}} is not known; there are {}, and req.NAME and resp.NAME for header fields",
            known.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_taken_apart_or_refused_with_a_reason() {
        for (text, expected) in [
            ("json", Ok(0)),
            ("clf", Ok(5)),
            ("combined", Ok(7)),
            ("%{client}|%{resp.Content-Type}|%{resp.content-type}|100%%", Ok(3)),
            ("jsonl", Err("is no format")),
            ("%{no_such}", Err("there are at, at_ms,")),
            ("%{req.}", Err("is not known")),
            ("%{client", Err("lacks its }")),
            ("%{client}\n%{path}", Err("one line")),
        ] {
            match (RecordFormat::parse(text, &Redaction::default()), expected) {
                (Ok(RecordFormat(Shape::Json)), Ok(fields)) => assert_eq!(fields, 0),
                (Ok(RecordFormat(Shape::Template(template))), Ok(fields)) => {
                    assert_eq!(template.pieces.len(), fields, "{text}");
                    assert!(template.said.len() <= 1, "{text}");
                }
                (Err(why), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
                (parsed, expected) => panic!("{text}: {parsed:?} is not {expected:?}"),
            }
        }
    }
}
