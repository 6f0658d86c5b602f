//! What is taken away, what stays, and that a credential in any of the known places, encoded in any way, does not get
//! through.

use super::*;
use proptest::prelude::*;

fn written(redaction: &Redaction, place: Place, text: &str) -> String {
    let mut out = Vec::new();
    let mut emit = |bytes: &[u8]| out.extend_from_slice(bytes);
    match place {
        Place::Query => redaction.query(text.as_bytes(), &mut emit),
        Place::Path => redaction.marked_path(text.as_bytes(), &mut emit),
        Place::Field => redaction.value(text.as_bytes(), &mut emit),
    }
    String::from_utf8(out).expect("text")
}

#[track_caller]
fn check(place: Place, text: &str, expected: &str) {
    assert_eq!(written(&Redaction::default(), place, text), expected);
    assert_eq!(written(&Redaction::off(), place, text), text);
}

#[test]
fn credentials_in_queries_are_replaced() {
    for (query, expected) in [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("token=x", "token=[redacted]"),
        ("a=1&access_token=x.y&b=2", "a=1&access_token=[redacted]&b=2"),
        ("API-KEY=x&apikey=y&api_key=z", "API-KEY=[redacted]&apikey=[redacted]&api_key=[redacted]"),
        ("%61ccess%5Ftoken=x", "%61ccess%5Ftoken=[redacted]"),
        ("user[password]=x&auth[key]=y", "user[password]=[redacted]&auth[key]=[redacted]"),
        ("code=x&sig=y&key=z&pwd=q", "code=[redacted]&sig=[redacted]&key=[redacted]&pwd=[redacted]"),
        ("postcode=1&keyword=2&design=3&author=4", "postcode=1&keyword=2&design=3&author=4"),
        ("X-Amz-Signature=x&X-Amz-Credential=y", "X-Amz-Signature=[redacted]&X-Amz-Credential=[redacted]"),
        ("a=1;token=x;y&b=2", "a=1;token=[redacted]&b=2"),
        ("token=a=b", "token=[redacted]"),
        ("token=&a=1", "token=&a=1"),
        ("token", "token"),
        ("to=https%3A%2F%2Fh%2F%3Ftoken%3Dx&b=2", "to=https%3A%2F%2Fh%2F%3Ftoken%3D[redacted]&b=2"),
        ("to=https://u:p@h/&b=2", "to=https://[redacted]@h/&b=2"),
        ("to=http%3A%2F%2Fu%3Ap%40h&b=2", "to=http%3A%2F%2F[redacted]%40h&b=2"),
        ("to=//u:p@h/", "to=//[redacted]@h/"),
        ("to=https%3A%2F%2Fu%3Ap%252Fw@h", "to=https%3A%2F%2F[redacted]@h"),
        ("next=%252Fp%253Ftoken%253Dx&b=2", "next=%252Fp%253Ftoken%253D[redacted]&b=2"),
        (
            "PHPSESSID=x&bearer=y&pin=z&authCode=q",
            "PHPSESSID=[redacted]&bearer=[redacted]&pin=[redacted]&authCode=[redacted]",
        ),
        ("userkey=x&pw=y&sas=z&creds=q", "userkey=[redacted]&pw=[redacted]&sas=[redacted]&creds=[redacted]"),
        ("data={\"token\":\"x\"}&b=2", "data={\"token\":[redacted]&b=2"),
        ("data=%7B%22a%22%3A1%2C%22pin%22%3A%22x%22%7D", "data=%7B%22a%22%3A1%2C%22pin%22%3A[redacted]"),
        ("h=Bearer%20x&b=2", "h=[redacted]&b=2"),
        ("h=Authorization:+Basic+x", "h=Authorization:[redacted]"),
        ("state=eyJhbGciOiJub25lIn0.e30.x&b=2", "state=[redacted]&b=2"),
        ("cursor=eyJpZCI6N30&b=2", "cursor=eyJpZCI6N30&b=2"),
        ("email=a@b.c&at=12:30&to=x", "email=a@b.c&at=12:30&to=x"),
        ("to=https://h:80/a/@b&x=1", "to=https://h:80/a/@b&x=1"),
    ] {
        check(Place::Query, query, expected);
    }
    let far = format!("{{{}token:", "n ".repeat(100));
    check(Place::Query, &format!("a={far} x"), &format!("a={far}[redacted]"));
    let long = format!("{}=x", "n".repeat(65));
    assert!(written(&Redaction::default(), Place::Query, &long).ends_with("=[redacted]"));
    let padded = format!("a={}=&b=2", "n".repeat(200));
    check(Place::Query, &padded, &padded);
}

#[test]
fn credentials_in_fields_are_replaced() {
    for (value, expected) in [
        ("curl/8.0", "curl/8.0"),
        ("https://h/p?a=1&token=x", "https://h/p?a=1&token=[redacted]"),
        ("https://user:pw@h/p?a=1", "https://[redacted]@h/p?a=1"),
        ("https://ghp_x@h/p", "https://[redacted]@h/p"),
        ("https%3A%2F%2Fu%3Ap%40h/", "https%3A%2F%2F[redacted]%40h/"),
        ("//u:p@h/", "//[redacted]@h/"),
        ("https://u:p,w;x&y=z@h/", "https://[redacted]@h/"),
        ("u:p@h", "[redacted]@h"),
        ("<https://h/?token=x>; rel=\"next\"", "<https://h/?token=[redacted]>; rel=\"next\""),
        ("https://h/cb#access_token=x&state=1", "https://h/cb#access_token=[redacted]&state=1"),
        ("mail@example.com", "mail@example.com"),
        ("token=\"a b\"", "token=[redacted]"),
        ("a=1; sessionid=x", "a=1; sessionid=[redacted]"),
        ("Bearer x", "[redacted]"),
        ("bAsIc eA==", "[redacted]"),
        ("AWS4-HMAC-SHA256 Credential=x", "[redacted]"),
        ("Digest username=\"u\"", "[redacted]"),
        ("eyJhbGciOiJub25lIn0.e30.x", "[redacted]"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/1 Firefox/115.0",
            "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/1 Firefox/115.0",
        ),
        ("text/html;q=0.8, */*;q=0.1", "text/html;q=0.8, */*;q=0.1"),
    ] {
        check(Place::Field, value, expected);
    }
}

#[test]
fn credentials_in_paths_are_replaced() {
    for (path, expected) in [
        ("/cook;jsessionid=x/y", "/cook;jsessionid=[redacted]"),
        ("/mail/https://u:p@h/x", "/mail/https://[redacted]@h/x"),
        ("/mail/https:/u:p@h/x", "/mail/https:/[redacted]@h/x"),
        ("/p%3Ftoken=x", "/p%3Ftoken=[redacted]"),
        ("/p%253Ftoken%253Dx", "/p%253Ftoken%253D[redacted]"),
        ("/a;v=1/@scope/b%20c", "/a;v=1/@scope/b%20c"),
        ("/v/eyJhbGciOiJub25lIn0.e30.x/%20", "/v/[redacted]/%20"),
    ] {
        check(Place::Path, path, expected);
    }
}

#[test]
fn names_of_fields_and_added_names() {
    let added = Redaction::new(&["X-Tenant".into(), "user_email".into()]);
    for (name, expected) in [
        ("authorization", true),
        ("proxy-authorization", true),
        ("cookie", true),
        ("cookie2", true),
        ("set-cookie", true),
        ("x-api-key", true),
        ("x-auth-key", true),
        ("x-functions-key", true),
        ("fastly-key", true),
        ("ocp-apim-subscription-key", true),
        ("x-authentication", true),
        ("php-auth-pw", true),
        ("x-shopify-hmac-sha256", true),
        ("sec-websocket-protocol", true),
        ("dpop", true),
        ("x-csrf-token", true),
        ("x-tenant", true),
        ("user-agent", false),
        ("content-type", false),
        ("referer", false),
        ("x-error-code", false),
        ("x-authenticated-userid", false),
        ("x-request-id", false),
        ("x-forwarded-for", false),
        (":authority", false),
    ] {
        assert_eq!(added.hides_field(name), expected, "{name}");
        assert!(!Redaction::off().hides_field(name));
    }
    assert_eq!(
        written(&added, Place::Query, "userEmail=a&tenant=b&f[user_email]=c"),
        "userEmail=[redacted]&tenant=b&f[user_email]=[redacted]"
    );
}

/// All of a text, or its marks, percent-encoded, so many times.
fn encode(text: &str, layers: usize, is_all: bool) -> String {
    (0..layers).fold(text.to_owned(), |text, _| {
        let encoded = text.bytes().map(|byte| {
            let stays = byte.is_ascii_alphanumeric() && !is_all || b"-_.~".contains(&byte);
            if stays { char::from(byte).to_string() } else { format!("%{byte:02X}") }
        });
        encoded.collect()
    })
}

/// A credential where others have been found: behind a name, a scheme, or before the `@` of a URL.
fn holder() -> impl Strategy<Value = String> {
    let names = [
        "access_token",
        "api-key",
        "apiKey",
        "X-Amz-Signature",
        "user[password]",
        "sid",
        "PHPSESSID",
        "client_secret",
        "pw",
        "authkey",
        "jwt",
        "SAMLResponse",
        "otp",
        "creds",
        "sig",
        "jsessionid",
    ];
    let of_name = prop::sample::select(names.to_vec());
    let front =
        prop::sample::select(vec!["", "a=1&", "q=a:b&", "/p?", "x;", "https://h/p?a=b&", "https://h/#"]);
    prop_oneof![
        (front.clone(), of_name.clone()).prop_map(|(front, name)| format!("{front}{name}=SECRET")),
        (front.clone(), of_name).prop_map(|(front, name)| format!("{front}a={{\"{name}\":\"SECRET\"}}")),
        (front, prop::sample::select(vec!["Bearer", "basic", "AWS4-HMAC-SHA256"]))
            .prop_map(|(front, scheme)| format!("{front}a={scheme} SECRET")),
        prop::sample::select(vec!["https://", "//", "ftp://u:", "redis://:", "http://a/https://u:"])
            .prop_map(|front| format!("{front}SECRET@h/p")),
    ]
}

proptest! {
    #[test]
    fn no_credential_gets_through(
        holder in holder(),
        layers in 0usize..3,
        is_all in any::<bool>(),
        secret in "[A-Za-z0-9]{12,40}",
        mark in prop::sample::select(vec!["", "%2F", "%3D", "%26", "%40", "%20", "%25"]),
        place in prop::sample::select(vec![Place::Query, Place::Path, Place::Field]),
        front in prop::sample::select(vec!["", "a=1&to=", "b=x;"]),
    ) {
        // A mark in a credential is encoded once more than what is around it.
        let holder = holder.replace("SECRET", &format!("{secret}{mark}{secret}"));
        let text = format!("{front}{}", encode(&holder, layers, is_all));
        // Spaces and quotes come encoded in targets.
        let text = if place == Place::Field { text } else { text.replace(' ', "%20") };
        let text = if place == Place::Path { format!("/p/{text}") } else { text };
        let line = written(&Redaction::default(), place, &text);
        let shown = encode(&secret, layers, is_all);
        prop_assert!(!line.contains(&secret) && !line.contains(&shown), "{} became {}", text, line);
        prop_assert!(line.len() <= 8 * text.len() + 16, "the room that is made for it");
    }

    #[test]
    fn what_is_written_has_room_and_is_whole(text in "[a-zA-Z=&?;#%@:/\"{+ .0-9]{0,60}") {
        for place in [Place::Query, Place::Path, Place::Field] {
            let line = written(&Redaction::default(), place, &text);
            prop_assert!(line.len() <= 8 * text.len() + 16, "{} became {}", text, line);
            // What is left stands in the text, in its order.
            let mut rest = text.as_str();
            for part in line.split("[redacted]") {
                let at = rest.find(part);
                prop_assert!(at.is_some(), "{} became {}", text, line);
                rest = &rest[at.unwrap_or(0) + part.len()..];
            }
        }
    }
}
