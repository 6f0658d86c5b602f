//! What each command sends: method, target, credentials and body.

use super::*;

#[track_caller]
fn sends(line: &str, request: &str, body: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let (outcome, arrived) = ask(&words, 200, r#"{"success":true,"data":{}}"#);
    assert_eq!(outcome.code, 0, "{line}: {}", outcome.err);
    assert_eq!(arrived.line, format!("{request} HTTP/1.1"), "{line}");
    assert_eq!(arrived.body, body, "{line}");
}

#[test]
fn every_kind_is_created_by_name_in_its_path() {
    for (line, path, body) in [
        ("namespace create name=shop tags=a,b", "namespace/shop", r#"{"name":"shop","tags":["a","b"]}"#),
        ("ns mk shop", "namespace/shop", r#"{"name":"shop"}"#),
        (
            "service create name=s urls=http://a,http://b retries=2 requestTimeout=1m30s http2Only=true",
            "service/default/s",
            r#"{"http2Only":true,"name":"s","requestTimeout":"1m30s","retries":2,"urls":["http://a","http://b"]}"#,
        ),
        (
            "svc mk name=s urls:=[\"http://a\"] retry_timeout_ms=50 hide_dgate_headers=1",
            "service/default/s",
            r#"{"hideDGateHeaders":true,"name":"s","retryTimeout":"50ms","urls":["http://a"]}"#,
        ),
        (
            "rt mk name=r namespace=n paths=/a/{id:[0-9]{1,3}},/b methods=GET,POST strip_path=true modules=m",
            "route/n/r",
            r#"{"methods":["GET","POST"],"modules":["m"],"name":"r","namespace":"n","paths":["/a/{id:[0-9]{1,3}}","/b"],"stripPath":true}"#,
        ),
        (
            "route create name=r paths=[\"/a,b\"] methods=* -n n",
            "route/n/r",
            r#"{"methods":["*"],"name":"r","namespace":"n","paths":["/a,b"]}"#,
        ),
        (
            "domain create name=d patterns=*.a.com priority=-5",
            "domain/default/d",
            r#"{"name":"d","patterns":["*.a.com"],"priority":-5}"#,
        ),
        (
            "col mk name=c schema:={\"type\":\"object\"} visibility=public",
            "collection/default/c",
            r#"{"name":"c","schema":{"type":"object"},"visibility":"public"}"#,
        ),
        (
            "doc mk collection=c id=x data:={\"a\":[1]}",
            "document/x?collection=c&namespace=default",
            r#"{"a":[1]}"#,
        ),
        ("doc mk collection=c id=x data=007", "document/x?collection=c&namespace=default", r#""007""#),
        ("doc mk x -c c -n n data={\"a\":1}", "document/x?collection=c&namespace=n", r#"{"a":1}"#),
        ("sec mk name=s data=a=b", "secret/default/s", r#"{"data":"a=b","name":"s"}"#),
        (
            "secret create name=a/b%20ü data=1",
            "secret/default/a%2Fb%2520%C3%BC",
            r#"{"data":"1","name":"a/b%20ü"}"#,
        ),
    ] {
        sends(line, &format!("PUT /api/v1/{path}"), body);
    }
}

#[test]
fn both_versions_ways_of_naming_a_resource_work() {
    for (line, request) in [
        ("route get name=r", "GET /api/v1/route/default/r"),
        ("route get r", "GET /api/v1/route/default/r"),
        ("route get r --namespace n", "GET /api/v1/route/n/r"),
        ("route get -n n r", "GET /api/v1/route/n/r"),
        ("route rm name=r namespace=n", "DELETE /api/v1/route/n/r"),
        ("route delete r namespace=n", "DELETE /api/v1/route/n/r"),
        ("route ls", "GET /api/v1/route"),
        ("route list namespace=n", "GET /api/v1/route?namespace=n"),
        ("route list --namespace a&b", "GET /api/v1/route?namespace=a%26b"),
        ("ns rm shop", "DELETE /api/v1/namespace/shop"),
        ("ns get name=shop", "GET /api/v1/namespace/shop"),
        ("ns ls", "GET /api/v1/namespace"),
        ("doc get x --collection c", "GET /api/v1/document/x?collection=c&namespace=default"),
        ("doc rm id=x collection=c namespace=n", "DELETE /api/v1/document/x?collection=c&namespace=n"),
        ("doc rm --all collection=c", "DELETE /api/v1/document?collection=c&namespace=default"),
        ("doc ls collection=c", "GET /api/v1/document?collection=c"),
        (
            "doc ls -c c -n n --limit 5 offset=10",
            "GET /api/v1/document?collection=c&limit=5&namespace=n&offset=10",
        ),
        ("changelog", "GET /api/v1/changelog"),
        ("cluster status", "GET /api/v1/cluster/status"),
        ("cluster members", "GET /api/v1/cluster/members"),
    ] {
        sends(line, request, "");
    }
}

#[test]
fn files_are_read_and_a_modules_language_is_its_files_ending() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.display().to_string()
    };
    let (ts, js, txt) = (path("a.ts", "ts\n"), path("a.JS", "js"), path("a.txt", "text"));
    let (json, pem) = (path("a.json", "{\"a\": 1}"), path("a.pem", "-----BEGIN X\n"));
    for (line, path, body) in [
        (
            format!("mod mk name=m payload@={ts}"),
            "module/default/m",
            r#"{"moduleType":"typescript","name":"m","payload":"dHMK"}"#,
        ),
        (
            format!("mod mk name=m payload@={js}"),
            "module/default/m",
            r#"{"moduleType":"javascript","name":"m","payload":"anM="}"#,
        ),
        (
            format!("mod mk name=m payload@={js} module_type=typescript"),
            "module/default/m",
            r#"{"moduleType":"typescript","name":"m","payload":"anM="}"#,
        ),
        (format!("mod mk name=m payload@={txt}"), "module/default/m", r#"{"name":"m","payload":"dGV4dA=="}"#),
        ("mod mk name=m payload=dHM=".into(), "module/default/m", r#"{"name":"m","payload":"dHM="}"#),
        (
            format!("doc mk id=x collection=c data:=@{json}"),
            "document/x?collection=c&namespace=default",
            r#"{"a":1}"#,
        ),
        (format!("sec mk name=s data@={txt}"), "secret/default/s", r#"{"data":"dGV4dA==","name":"s"}"#),
        (
            format!("dom mk name=d patterns=a key@={pem}"),
            "domain/default/d",
            r#"{"key":"-----BEGIN X\n","name":"d","patterns":["a"]}"#,
        ),
    ] {
        sends(&line, &format!("PUT /api/v1/{path}"), body);
    }
}

#[test]
fn credentials_come_from_flags_the_environment_or_the_terminal() {
    let ok = r#"{"data":[]}"#;
    for (line, env, authorization) in [
        (&["route", "ls"][..], None, None),
        (&["-a", "u:p", "route", "ls"], None, Some("Basic dTpw")),
        (&["route", "ls", "--auth", "u:p:q"], Some("x:y"), Some("Basic dTpwOnE=")),
        (&["route", "ls"], Some("u:p"), Some("Basic dTpw")),
        (&["-a", "ann", "route", "ls"], None, Some("Basic YW5uOnR5cGVk")),
    ] {
        let (address, api) = admin_api(vec![answer(200, "", ok)]);
        let mut variables = vec![("TIDEGATE_ADMIN_API", address.as_str())];
        variables.extend(env.map(|value| ("DGATE_ADMIN_AUTH", value)));
        let outcome = tidegate(line, &variables);
        assert_eq!(outcome.code, 0, "{line:?}: {}", outcome.err);
        assert_eq!(api.join().expect("api")[0].authorization.as_deref(), authorization, "{line:?}");
    }
}

#[test]
fn the_flags_of_the_client_leave_the_binarys_own_commands_alone() {
    let cli = Cli::try_parse_from(["tidegate", "serve", "-f", "127.0.0.1:1"]).expect("parse");
    assert!(matches!(cli.command, Top::Serve { admin: Some(_) }) && cli.options.admin.is_none());
    <Cli as clap::CommandFactory>::command().debug_assert();
}
