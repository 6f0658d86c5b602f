//! What the client knows about a field of a resource: its key, how its text is read, and what help says about it.
//! It holds no data (that is `kinds`) and parses nothing (that is `value`).

/// A kind of resource and the fields a user may write.
#[derive(Debug)]
pub struct Kind {
    /// Singular name, as the command line and the API's paths spell it.
    pub name: &'static str,
    /// The short name.
    pub alias: &'static str,
    /// One line for help.
    pub doc: &'static str,
    /// Every field that may be written. The first names the resource.
    pub fields: &'static [Field],
    /// Columns of a listing, in order; also fields that only the gateway writes.
    pub columns: &'static [&'static str],
    /// Words after `tidegate KIND create` that work as they stand.
    pub example: &'static str,
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Key in the admin API's JSON.
    pub key: &'static str,
    /// How the text after `key=` is read.
    pub value: FieldType,
    /// `create` refuses to start without it.
    pub required: bool,
    /// What the gateway takes when it is not given; empty for nothing.
    pub default: &'static str,
    /// One line for help.
    pub doc: &'static str,
    /// A word for the command line.
    pub example: &'static str,
    /// Its value is never printed, not even by `--verbose`.
    pub secret: bool,
}

/// How the text after `key=` becomes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A string.
    Text,
    /// Comma-separated strings.
    List,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A Go duration: `50ms`, `1m30s`.
    Duration,
    /// Any JSON: `key:=…`.
    Json,
    /// Base64 of a file: `key@=file`.
    File,
    /// PEM text; `key@=file` sends the file's text.
    Pem,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl FieldType {
    /// Its name in help.
    pub fn name(self) -> String {
        match self {
            Self::Text => "string".into(),
            Self::List => "list".into(),
            Self::Boolean => "boolean".into(),
            Self::Integer => "number".into(),
            Self::Duration => "duration".into(),
            Self::Json => "JSON".into(),
            Self::File => "base64".into(),
            Self::Pem => "PEM".into(),
            Self::Choice(words) => words.join("|"),
        }
    }
}

impl Field {
    /// A field that may be left out.
    pub(crate) const fn new(
        key: &'static str,
        value: FieldType,
        doc: &'static str,
        example: &'static str,
    ) -> Self {
        Self { key, value, required: false, default: "", doc, example, secret: false }
    }

    /// The same, required.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, with what the gateway takes when it is left out.
    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// The same, never printed.
    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

impl Kind {
    /// The field that names the resource: `name`, or a document's `id`.
    pub fn identity(&self) -> &'static str {
        self.fields[0].key
    }

    /// Whether it lives in a namespace.
    pub fn namespaced(&self) -> bool {
        self.field("namespace").is_some()
    }

    /// Whether it lives in a collection.
    pub fn collected(&self) -> bool {
        self.field("collection").is_some()
    }

    /// The field of a key, however it is written: `stripPath`, `strip_path`, `strippath`.
    pub fn field(&self, key: &str) -> Option<&'static Field> {
        let folded = fold(key);
        self.fields.iter().find(|field| fold(field.key) == folded)
    }
}

/// Both versions of DGate and Go's decoder, which ignores case, agree on this form of a key.
pub(crate) fn fold(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}
