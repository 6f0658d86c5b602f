//! Where `--follow` leads, and what is sent there.

use super::*;

const MEMBERS: &str = r#"{"success":true,"data":[{"id":1,"addr":"localhost:7000"}]}"#;

fn redirect(to: &str) -> String {
    answer(307, &format!("location: http://{to}/api/v1/secret/default/s\r\n"), "")
}

const CREATE: &[&str] = &["-a", "u:p", "-f", "secret", "create", "name=s", "data=x"];

#[test]
fn a_leader_on_the_same_host_gets_the_whole_request() {
    let (leader, leads) = admin_api(vec![answer(201, "", r#"{"data":{"name":"s"}}"#)]);
    let (follower, follows) = admin_api(vec![redirect(&leader)]);
    let outcome = tidegate(CREATE, &[("TIDEGATE_ADMIN_API", &follower)]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let asked = follows.join().expect("follower");
    assert_eq!(asked, leads.join().expect("leader"));
    assert_eq!(asked[0].authorization.as_deref(), Some("Basic dTpw"));
}

#[test]
fn another_host_must_be_a_member() {
    for (members, code) in
        [(answer(200, "", MEMBERS), 0), (answer(200, "", "{}"), 1), (answer(403, "", MEMBERS), 1)]
    {
        let (leader, leads) = admin_api(vec![answer(201, "", "{}")]);
        let elsewhere = leader.replace("127.0.0.1", "localhost");
        let (follower, follows) = admin_api(vec![redirect(&elsewhere), members]);
        let outcome = tidegate(CREATE, &[("TIDEGATE_ADMIN_API", &follower)]);
        assert_eq!(outcome.code, code, "{}", outcome.err);
        assert_eq!(follows.join().expect("follower")[1].line, "GET /api/v1/cluster/members HTTP/1.1");
        if code == 0 {
            assert_eq!(leads.join().expect("leader")[0].body, r#"{"data":"x","name":"s"}"#);
        } else {
            assert!(outcome.err.contains("no member of the cluster"), "{}", outcome.err);
            assert!(!leads.is_finished(), "the stranger was asked");
        }
    }
}

#[test]
fn without_the_flag_the_leader_is_only_named() {
    let (follower, follows) = admin_api(vec![redirect("10.0.0.9:9080")]);
    let outcome = tidegate(
        &["secret", "rm", "s"],
        &[("TIDEGATE_ADMIN_API", &follower), ("DGATE_FOLLOW_REDIRECTS", "false")],
    );
    follows.join().expect("follower");
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.contains("the leader is at http://10.0.0.9:9080/"), "{}", outcome.err);
    assert!(outcome.err.contains("add -f"), "{}", outcome.err);
}

#[test]
fn a_circle_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    let here = redirect(&address);
    let api = std::thread::spawn(move || {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().expect("accept");
            read_request(&stream);
            stream.write_all(here.as_bytes()).expect("answer");
        }
    });
    let outcome = tidegate(CREATE, &[("TIDEGATE_ADMIN_API", &address)]);
    api.join().expect("api");
    assert_eq!(outcome.code, 1, "{}", outcome.err);
}
