//! What is printed for an answer, in each format, and the text of help.

use super::*;

const ROUTES: &str = r#"{"success":true,"status_code":200,"count":2,"data":[
    {"name":"api","namespace":"default","paths":["/a","/b"],"methods":["GET"],"service":"s","tags":[]},
    {"name":"files","namespace":"default","paths":["/f/*"],"methods":["*"],"modules":["m"],"tags":["x"]}]}"#;
const SERVICE: &str =
    r#"{"data":{"urls":["http://a"],"name":"s","namespace":"n","retries":3,"extra":{"a":1}}}"#;

#[track_caller]
fn prints(line: &[&str], body: &str, out: &str) {
    let (outcome, _) = ask(line, 200, body);
    assert_eq!((outcome.code, outcome.out.as_str()), (0, out), "{line:?}: {}", outcome.err);
}

#[test]
fn lists_are_tables() {
    prints(
        &["route", "ls"],
        ROUTES,
        "NAME   NAMESPACE  PATHS  METHODS  SERVICE  MODULES  TAGS\n\
         api    default    /a,/b  GET      s        -        -\n\
         files  default    /f/*   *        -        m        x\n",
    );
    let documents = r#"{"documents":[{"id":"x","namespace":"n","collection":"c","data":{"a":1}}],"count":1}"#;
    let table = "ID  NAMESPACE  COLLECTION  DATA     UPDATED AT\nx   n          c           {\"a\":1}  -\n";
    prints(&["doc", "ls", "-c", "c"], documents, table);
    prints(&["doc", "ls", "-c", "c"], &format!(r#"{{"data":{documents}}}"#), table);
    prints(
        &["cluster", "members"],
        r#"{"data":[{"id":1,"addr":"a:1","is_leader":true}]}"#,
        "ADDR  ID  IS LEADER\na:1   1   true\n",
    );
}

#[test]
fn one_resource_is_its_fields_in_order() {
    prints(
        &["svc", "get", "s"],
        SERVICE,
        "name       s\nnamespace  n\nurls       http://a\nretries    3\nextra      {\"a\":1}\n",
    );
    prints(
        &["-o", "json", "svc", "get", "s"],
        SERVICE,
        "{\n  \"extra\": {\n    \"a\": 1\n  },\n  \"name\": \"s\",\n  \"namespace\": \"n\",\n  \"retries\": 3,\n  \"urls\": [\n    \"http://a\"\n  ]\n}\n",
    );
    prints(
        &["svc", "get", "s", "-o", "yaml"],
        SERVICE,
        "extra:\n  a: 1\nname: s\nnamespace: \"n\"\nretries: 3\nurls:\n- http://a\n",
    );
}

#[test]
fn writes_say_what_they_did_beside_the_data() {
    let all = r#"{"status_code":201,"data":[{"name":"other"},{"name":"r"}],"count":2}"#;
    for body in [all, r#"{"success":true,"data":{"name":"r"}}"#] {
        let (outcome, _) = ask(&["route", "mk", "r", "paths=/", "methods=*"], 201, body);
        assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("name  r\n", "route default/r created\n"));
    }
    let (outcome, _) = ask(&["-o", "json", "route", "rm", "r"], 202, "");
    assert_eq!(
        (outcome.code, outcome.out.as_str(), outcome.err.as_str()),
        (0, "", "route default/r deleted\n")
    );
}

#[test]
fn nothing_found_is_said_on_the_side() {
    let (outcome, _) = ask(&["route", "ls", "-n", "n"], 200, r#"{"data":[]}"#);
    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str()),
        ("", "no route found by /api/v1/route?namespace=n\n")
    );
    prints(&["route", "ls", "-o", "json"], r#"{"data":[]}"#, "[]\n");
}

#[test]
fn status_gathers_health_readiness_and_revision() {
    let health = answer(200, "", r#"{"status":"ok","version":"0.1.0"}"#);
    let ready = answer(
        200,
        "x-raft-state: leader\r\nx-raft-leader: a:9080\r\n",
        r#"{"status":"ok","ready":true,"version":"0.1.0"}"#,
    );
    let cluster = answer(
        200,
        "",
        r#"{"data":{"revision":12,"changes":7,"failure":null,"term":1,"runtime":{"shards":8,"driver":"io_uring"}}}"#,
    );
    let (address, api) = admin_api(vec![health.clone(), ready, cluster]);
    let outcome = tidegate(&["status"], &[("TIDEGATE_ADMIN_API", &address)]);
    let asked: Vec<String> = api.join().expect("api").into_iter().map(|arrived| arrived.line).collect();
    assert_eq!(
        asked,
        ["/healthz", "/readyz", "/api/v1/cluster/status"].map(|path| format!("GET {path} HTTP/1.1"))
    );
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(
        outcome.out,
        "changes     7\ndriver      io_uring\nhealth      ok\nraftLeader  a:9080\nraftState   leader\n\
         ready       ok\nrevision    12\nshards      8\nversion     0.1.0\n"
    );
    let (address, api) =
        admin_api(vec![health, answer(503, "", r#"{"status":"no leader"}"#), answer(401, "", "")]);
    let outcome = tidegate(&["status"], &[("TIDEGATE_ADMIN_API", &address)]);
    api.join().expect("api");
    assert_eq!(outcome.code, 1);
    assert!(outcome.out.contains("ready     no leader\n"), "{}", outcome.out);
    assert!(outcome.out.contains("revision  not shown (401)\n"), "{}", outcome.out);
}

#[test]
fn help_names_every_key_with_type_default_and_example() {
    for kind in crate::fields() {
        let help = tidegate(&[kind.name, "create", "--help"], &[]).err;
        for field in kind.fields {
            let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{} ", field.key)));
            let line = line.unwrap_or_else(|| panic!("{} is not in the help of {}", field.key, kind.name));
            assert!(line.contains(&field.value.name()), "{line}");
            assert_eq!(line.contains("required"), field.required, "{line}");
            assert!(help.contains(field.example), "{}", field.example);
        }
        assert!(help.contains(&format!("tidegate {} create {}", kind.name, kind.example)), "{help}");
        assert!(kind.columns.starts_with(&[kind.identity()]), "{}", kind.name);
    }
    let help = tidegate(&["route", "get", "--help"], &[]).err;
    assert!(help.starts_with("Shows one route\n"), "{help}");
    let help = tidegate(&["domain", "create", "-h"], &[]).err;
    assert!(help.contains("  priority   number  = 0        higher is asked first (priority=10)\n"), "{help}");
}
