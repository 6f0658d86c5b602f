//! Cases of the path tree, and a comparison with the obvious matcher: one anchored expression per pattern.

use super::*;
use http::Method;
use proptest::prelude::*;

fn tree(patterns: &[(&str, &str)]) -> PathTree<String> {
    let mut tree = PathTree::default();
    for (methods, pattern) in patterns {
        let set = if *methods == "*" { MethodSet::any() } else { methods.split(',').collect() };
        tree.insert(&pattern.parse().expect(pattern), set, (*pattern).to_string());
    }
    tree
}

fn check(patterns: &[(&str, &str)], method: &Method, path: &str, expected: &str) {
    let tree = tree(patterns);
    let found = match tree.find(path.as_bytes(), method) {
        Found::Match(found) => {
            let params: Vec<String> = found
                .names
                .iter()
                .zip(found.params.ranges())
                .map(|(name, range)| format!("{name}={}", &path[range]))
                .collect();
            format!("{} {}", found.value, params.join(","))
        }
        Found::MethodNotAllowed(allow) => format!("405 {}", allow.allow()),
        Found::Nothing => "404".into(),
    };
    assert_eq!(found.trim_end(), expected, "{method} {path}");
}

#[test]
fn the_most_specific_pattern_wins() {
    let patterns = [
        ("*", "/"),
        ("*", "/users/me"),
        ("*", "/users/{id:[0-9]+}"),
        ("*", "/users/{name}"),
        ("*", "/users/{name}/posts"),
        ("*", "/users/*"),
        ("*", "/files/{name}.{ext}"),
        ("*", "/a/*/c"),
        ("*", "/v*"),
        ("*", "/deep/**"),
    ];
    for (path, expected) in [
        ("/", "/"),
        ("/users/me", "/users/me"),
        ("/users/42", "/users/{id:[0-9]+} id=42"),
        ("/users/bob", "/users/{name} name=bob"),
        ("/users/bob/posts", "/users/{name}/posts name=bob"),
        ("/users/42/posts", "/users/{name}/posts name=42"),
        ("/users/bob/likes", "/users/* *=bob/likes"),
        ("/users/", "/users/* *="),
        ("/users", "404"),
        ("/files/a.txt", "/files/{name}.{ext} name=a,ext=txt"),
        ("/a/b/c", "/a/*/c"),
        ("/a//c", "404"),
        ("/v", "/v* *="),
        ("/v2/x", "/v* *=2/x"),
        ("/deep/er/still", "/deep/** *=er/still"),
        ("/users/me/", "/users/* *=me/"),
    ] {
        check(&patterns, &Method::GET, path, expected);
    }
}

#[test]
fn methods_decide_between_404_and_405() {
    let patterns = [("GET,HEAD", "/a"), ("POST", "/a"), ("PUT", "/{x}"), ("PURGE", "/b")];
    check(&patterns, &Method::POST, "/a", "/a");
    check(&patterns, &Method::PUT, "/a", "/{x} x=a");
    check(&patterns, &Method::DELETE, "/a", "405 GET, HEAD, POST, PUT");
    check(&patterns, &Method::from_bytes(b"PURGE").expect("token"), "/b", "/b");
    check(&patterns, &Method::GET, "/b", "405 PUT, PURGE");
    check(&patterns, &Method::GET, "/c/d", "404");
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".into()), Just("b".into()), Just("ab".into()), Just("a1".into()), "[ab1]{1,3}"]
}

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => segment(),
        1 => Just("{p}".to_string()),
        1 => Just("{p:[a-b]+}".to_string()),
        1 => Just("x{p}".to_string()),
    ];
    (prop::collection::vec(piece, 0..4), prop::bool::ANY).prop_map(|(pieces, rest)| {
        let mut text = String::new();
        for (at, piece) in pieces.iter().enumerate() {
            text.push('/');
            text.push_str(&piece.replace("{p", &format!("{{p{at}")));
        }
        if rest || text.is_empty() { text + "/*" } else { text }
    })
}

fn oracle(pattern: &str) -> regex::bytes::Regex {
    let mut expression = String::from(r"\A");
    for segment in pattern[1..].split('/') {
        expression.push('/');
        expression.push_str(&match segment {
            "*" => "(?s:.*)".to_string(),
            _ if segment.contains(':') => "[a-b]+".to_string(),
            _ if segment.contains('{') => segment.split('{').next().unwrap_or("").to_string() + "[^/]+",
            literal => regex::escape(literal),
        });
    }
    regex::bytes::RegexBuilder::new(&(expression + r"\z")).unicode(false).build().expect("oracle")
}

proptest! {
    #[test]
    fn finds_a_route_exactly_when_some_pattern_matches(
        patterns in prop::collection::vec(pattern(), 1..12),
        path in prop::collection::vec(segment(), 0..5),
    ) {
        let path = format!("/{}", path.join("/"));
        let listed: Vec<(&str, &str)> = patterns.iter().map(|p| ("*", p.as_str())).collect();
        let tree = tree(&listed);
        let matching: Vec<&String> = patterns.iter().filter(|p| oracle(p).is_match(path.as_bytes())).collect();
        match tree.find(path.as_bytes(), &Method::GET) {
            Found::Match(found) => prop_assert!(matching.contains(&found.value), "{} for {path}", found.value),
            _ => prop_assert!(matching.is_empty(), "{matching:?} should match {path}"),
        }
    }
}
