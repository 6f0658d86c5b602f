//! Every way in which bytes can break a rule of this codec, one variant each, with the RFC section it breaks.
//! Closed and `Copy`: it is counted and logged by its code. It must never carry bytes of the message.

use std::fmt;

/// Writes the enum and its total functions from one table, so that no variant can lack a code, a section or a text.
macro_rules! malformed {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $section:literal, $text:literal;)*) => {
        /// A broken protocol rule. The message is answered with an error (or the upstream is blamed) and its connection
        /// is closed: after one of these nobody can say where the next message begins.
        #[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Malformed {
            $(#[doc = concat!("(", $section, ") ", $text, ".")] $(#[$doc])* $variant,)*
        }

        impl Malformed {
            /// Every variant, in the order of declaration: for tables of counters.
            pub const ALL: &[Malformed] = &[$(Malformed::$variant),*];

            /// A stable name in snake_case, for logs and metrics.
            pub fn code(self) -> &'static str {
                match self { $(Malformed::$variant => $code,)* }
            }

            /// The document and section whose rule was broken; a rule of the gateway's own says so.
            pub fn section(self) -> &'static str {
                match self { $(Malformed::$variant => $section,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Malformed::$variant => $text,)* }
            }
        }
    };
}

malformed! {
    // Limits.
    /// 414 for a request.
    LineTooLong = "line_too_long", "RFC 9112 3", "the request line or status line is longer than the limit";
    /// 431 for a request.
    HeadTooLarge = "head_too_large", "RFC 6585 5", "the head is larger than the limit";
    /// 431 for a request.
    TooManyFields = "too_many_fields", "RFC 6585 5", "there are more header fields than the limit";
    TooManyConnectionOptions = "too_many_connection_options", "RFC 9110 7.6.1", "Connection lists more options than the limit";
    TrailersTooLarge = "trailers_too_large", "RFC 9112 7.1.2", "the trailer section is larger than the limit";
    ChunkExtensionTooLong = "chunk_extension_too_long", "RFC 9112 7.1.1", "chunk extensions are longer than the limit";

    // Lines.
    EmptyLines = "empty_lines", "RFC 9112 2.2", "more than one empty line stands before a request line, or any before a status line";
    BareLf = "bare_lf", "RFC 9112 2.2", "a line ends in LF without CR";
    BareCr = "bare_cr", "RFC 9112 2.2", "a CR is not followed by LF";
    RequestLine = "request_line", "RFC 9112 3", "the request line is not a method, a target and a version, each parted by one space";
    Method = "method", "RFC 9110 9.1", "the method is not a token";
    StatusLine = "status_line", "RFC 9112 4", "the status line is not a version, a status code and a reason phrase";
    Status = "status", "RFC 9110 15", "the status code is not three digits from 100 to 999";
    Version = "version", "RFC 9112 2.3", "the version is not of the form HTTP/1.1";
    /// 505.
    UnsupportedVersion = "unsupported_version", "RFC 9110 15.6.6", "the version is neither HTTP/1.0 nor HTTP/1.1";

    // Target and path.
    TargetByte = "target_byte", "RFC 9112 3.2", "the request target holds a control character, a space, or bytes that are not UTF-8";
    TargetForm = "target_form", "RFC 9112 3.2", "the request target has a form that its method does not allow";
    Fragment = "fragment", "RFC 9110 7.1", "the request target holds a fragment";
    Scheme = "scheme", "RFC 9110 4.2", "the scheme of the request target is neither http nor https";
    Userinfo = "userinfo", "RFC 9110 4.2.4", "the authority holds user information";
    PathNotAbsolute = "path_not_absolute", "RFC 9112 3.2.1", "the path does not start with a slash";
    PathByte = "path_byte", "RFC 3986 3.3", "the path holds a control character, a space, '?' or '#'";
    PathUtf8 = "path_utf8", "RFC 3986 2.5", "the path or query holds bytes that are not UTF-8";
    PathPercent = "path_percent", "RFC 3986 2.1", "a percent sign in the path is not followed by two hexadecimal digits";
    PathNul = "path_nul", "RFC 3986 7.3", "the path holds an encoded NUL";
    PathBackslash = "path_backslash", "RFC 3986 7.3", "the path holds a backslash, raw or encoded";
    PathDotSegment = "path_dot_segment", "RFC 3986 3.3", "the path holds a '.' or '..' segment, raw, encoded or with parameters";

    // Host.
    MissingHost = "missing_host", "RFC 9112 3.2", "an HTTP/1.1 request has no Host";
    DuplicateHost = "duplicate_host", "RFC 9112 3.2", "there is more than one Host";
    Host = "host", "RFC 9110 7.2", "the host is not a name, an IPv4 address or an IPv6 address in brackets";
    Port = "port", "RFC 3986 3.2.3", "the port is not a number up to 65535";
    AuthorityMismatch = "authority_mismatch", "RFC 9112 3.2.2", "the authority of the request target and Host differ";

    // Fields.
    ObsFold = "obs_fold", "RFC 9112 5.2", "a header line starts with white space";
    MissingColon = "missing_colon", "RFC 9112 5", "a header line has no colon";
    EmptyFieldName = "empty_field_name", "RFC 9110 5.1", "a header line has no name";
    SpaceBeforeColon = "space_before_colon", "RFC 9112 5.1", "white space stands between a field name and its colon";
    FieldName = "field_name", "RFC 9110 5.1", "a field name is not a token";
    FieldValue = "field_value", "RFC 9110 5.5", "a field value holds a control character";
    FieldAlias = "field_alias", "gateway rule", "a field name turns into a protected one when '_' is read as '-'";
    DuplicateAuthorization = "duplicate_authorization", "RFC 9110 5.3", "there is more than one Authorization";
    ConnectionOption = "connection_option", "RFC 9110 7.6.1", "Connection lists something that is not a token";
    /// 417.
    UnknownExpectation = "unknown_expectation", "RFC 9110 10.1.1", "Expect is not exactly 100-continue";

    // Framing.
    ContentLength = "content_length", "RFC 9110 8.6", "Content-Length is not a plain decimal number";
    ContentLengthTooLarge = "content_length_too_large", "RFC 9110 8.6", "Content-Length does not fit 63 bits";
    DuplicateContentLength = "duplicate_content_length", "RFC 9112 6.3", "there is more than one Content-Length";
    LengthAndCoding = "length_and_coding", "RFC 9112 6.1", "Content-Length and Transfer-Encoding are both present";
    DuplicateTransferEncoding = "duplicate_transfer_encoding", "RFC 9112 6.1", "there is more than one Transfer-Encoding";
    /// 501 for a request.
    UnknownTransferCoding = "unknown_transfer_coding", "RFC 9112 6.1", "Transfer-Encoding is not exactly chunked";
    TransferEncodingInHttp10 = "transfer_encoding_in_http10", "RFC 9112 6.1", "an HTTP/1.0 message has Transfer-Encoding";
    TransferEncodingWithoutBody = "transfer_encoding_without_body", "RFC 9112 6.1", "a 1xx or 204 response has Transfer-Encoding";
    UpgradeWithBody = "upgrade_with_body", "gateway rule", "a request asks for an upgrade and has a body";

    // Bodies.
    ChunkSize = "chunk_size", "RFC 9112 7.1", "a chunk size is not 1 to 16 hexadecimal digits followed by CRLF or an extension";
    ChunkSizeTooLarge = "chunk_size_too_large", "RFC 9112 7.1", "a chunk size does not fit 63 bits";
    ChunkExtension = "chunk_extension", "RFC 9112 7.1.1", "a chunk extension breaks its grammar";
    ChunkEnd = "chunk_end", "RFC 9112 7.1", "chunk data is not followed by CRLF";
    Truncated = "truncated", "RFC 9112 8", "the connection closed before the body had ended";
}

impl Malformed {
    /// Nothing is wrong but the amount: a request is answered 414 ([`LineTooLong`](Malformed::LineTooLong)) or 431.
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            Malformed::LineTooLong
                | Malformed::HeadTooLarge
                | Malformed::TooManyFields
                | Malformed::TooManyConnectionOptions
                | Malformed::TrailersTooLarge
                | Malformed::ChunkExtensionTooLong
        )
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut seen = std::collections::HashSet::new();
        for m in Malformed::ALL {
            assert!(seen.insert(m.code()), "{} twice", m.code());
            assert!(m.code().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(!m.to_string().is_empty() && !m.section().is_empty());
        }
    }
}
