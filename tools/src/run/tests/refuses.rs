//! What is refused, by whom, with which exit code and which words.

use super::*;

#[test]
fn a_wrong_command_line_sends_nothing_and_says_what_to_do() {
    for (line, said) in [
        ("route create name=r path=/a methods=GET", "did you mean paths?"),
        ("route create name=r path=/a methods=GET", "known keys: name, namespace, paths, methods"),
        ("route create name=r methods=GET", "add paths=/users/{id},/files/*"),
        ("route create", "route create needs name, paths, methods"),
        ("route get", "route get needs name"),
        ("route get a b", "name is given twice"),
        ("route get a name=b", "name is given twice"),
        ("route get a paths=/x", "this action takes no paths"),
        ("route list r", "this action takes no name"),
        ("ns list namespace=x", "it takes no keys"),
        ("route create =x", "no key"),
        ("route get ..", "cannot be a name"),
        ("route get name:=5", "name must be a string"),
        ("svc mk name=s urls=http://a retries=many", "retries must be a whole number, such as 3"),
        ("svc mk name=s urls=http://a requestTimeout=5", "requestTimeout must be a duration with its unit"),
        ("svc mk name=s urls=http://a request_timeout_ms=5s", "whole number of milliseconds"),
        ("svc mk name=s urls:=[", "urls must be JSON"),
        ("mod mk name=m payload@=/does/not/exist.ts", "cannot read the file /does/not/exist.ts"),
        ("mod mk name=m payload=x moduleType=rust", "moduleType must be typescript or javascript"),
        ("col mk name=c schema=object", "write schema:='{\"type\":\"object\"}'"),
        ("doc rm --all", "--all needs a collection"),
        ("doc rm --all collection=c id=x", "contradict"),
        ("-a bob route ls", "no password for bob"),
        ("--admin https://gw route ls", "SSH tunnel"),
        ("route frobnicate", "unrecognized subcommand"),
        ("rout list", "unrecognized subcommand"),
        ("-o xml route list", "invalid value 'xml'"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        // Nothing listens there, so that exit code 2 shows that nothing was tried.
        let outcome = tidegate(&words, &[("TIDEGATE_ADMIN_API", "127.0.0.1:1")]);
        assert_eq!(outcome.code, 2, "{line}: {outcome:?}");
        assert!(outcome.err.contains(said), "{line}: {}", outcome.err);
        assert_eq!(outcome.out, "", "{line}");
    }
}

#[test]
fn secrets_stay_out_of_messages() {
    for line in [&["sec", "mk", "name=s", "data=hunter2", "data=hunter3"][..], &["dom", "mk", "key:=hunter2"]]
    {
        let outcome = tidegate(line, &[]);
        assert_eq!(outcome.code, 2);
        assert!(!outcome.err.contains("hunter"), "{}", outcome.err);
    }
    let (outcome, _) = ask(&["-V", "-a", "u:hunter2", "sec", "mk", "name=s", "data=hunter3"], 200, "{}");
    assert!(outcome.err.contains("> PUT http://127.0.0.1:"), "{}", outcome.err);
    assert!(outcome.err.contains("< 200"), "{}", outcome.err);
    assert!(!outcome.err.contains("hunter"), "{}", outcome.err);
}

#[test]
fn the_gateways_reasons_are_shown() {
    for (status, body, said) in [
        (400, r#"{"error":"paths: must not be empty","status":400}"#, "why paths: must not be empty"),
        (
            400,
            r#"{"errors":["/a: not a string","/b: missing"],"status":400}"#,
            "why /a: not a string\n  why /b: missing",
        ),
        (400, r#"{"success":false,"faults":[{"at":"urls[0]","why":"no host"}]}"#, "why urls[0]: no host"),
        (401, "", "do  give a user with -a"),
        (404, r#"{"error":"no such route"}"#, "why no such route"),
        (307, "", "refused to show route default/r (307)"),
        (503, r#"{"error":"no leader\u001b[2J"}"#, "why no leader\\u{1b}[2J"),
    ] {
        let (outcome, _) = ask(&["route", "get", "r"], status, body);
        assert_eq!(outcome.code, 1, "{status}: {outcome:?}");
        assert!(outcome.err.contains(said), "{status}: {}", outcome.err);
        assert!(outcome.err.contains(&format!("route default/r ({status})")), "{}", outcome.err);
    }
}

#[test]
fn what_cannot_be_reached_or_is_no_admin_api_is_code_3() {
    let nobody =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("address");
    let outcome = tidegate(&["route", "ls"], &[("TIDEGATE_ADMIN_API", &nobody.to_string())]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.err.contains("check that the gateway runs"), "{}", outcome.err);
    for raw in ["SSH-2.0-OpenSSH\r\n\r\n".to_owned(), answer(200, "", "<html>"), String::new()] {
        let (address, api) = admin_api(vec![raw.clone()]);
        let outcome = tidegate(&["route", "ls"], &[("TIDEGATE_ADMIN_API", &address)]);
        assert_eq!(outcome.code, 3, "{raw:?}: {outcome:?}");
        api.join().expect("api");
    }
}
