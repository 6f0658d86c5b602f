//! `tidegate module dev`: what is saved is live.

use crate::harness::Upstream;
use crate::operator::node::Plan;
use crate::operator::{Says as _, request};
use crate::{Listening, ends, project};
use serde_json::json;
use std::fs;

#[test]
fn a_saved_file_is_live_and_its_requests_are_told() {
    let (_folder, shop) = project();
    let (node, upstream) = (Plan::new().start(), Upstream::answering(|_| crate::harness::ok("up")));
    node.put("/api/v1/service", json!({ "name": "up", "urls": [upstream.url()] }));
    let admin = format!("http://127.0.0.1:{}", node.admin);

    let once = ends(0, &shop, &["module", "dev", ".", "--once", "--admin", &admin]);
    assert!(once.contains("✓ default/shop is live"), "{once}");
    assert!(once.contains("no route lists it yet"), "{once}");
    node.put(
        "/api/v1/route",
        json!({ "name": "r", "paths": ["/echo"], "methods": ["*"], "service": "up", "modules": ["shop"] }),
    );

    let pushing = Listening::to(&shop, &["module", "dev", "--admin", &admin]);
    let until = |part: &str| pushing.until(part);
    until("is live");
    let mut client = node.client();
    assert_eq!(client.get("/echo?name=Ada").get("x-greeting"), Some("hello, Ada"));
    until("calls");

    let path = shop.join("src/shop.ts");
    let source = fs::read_to_string(&path).expect("there");
    fs::write(&path, source.replace("hello, ", "good evening, ")).expect("written");
    until("is live");
    assert_eq!(client.get("/echo?name=Ada").get("x-greeting"), Some("good evening, Ada"));

    // What it says and what it throws is told as it happens.
    let loud = "export function responseModifier(ctx: any) {\n  console.log(\"seen\", ctx.request().path);\n  throw new Error(\"late\");\n}";
    fs::write(&path, loud).expect("written");
    until("is live");
    assert_eq!(client.get("/echo").status(), 500);
    until("info  seen /echo");
    until("late");
    until("shop.ts:3:");
    fs::write(&path, source.replace("hello, ", "good evening, ")).expect("written");
    until("is live");

    // What does not compile is shown with its line, and what ran goes on.
    fs::write(&path, "export function responseModifier(ctx: any) {\n  const x: = 1;\n}").expect("written");
    until("src/shop.ts:2:12: ");
    until("    2 |   const x: = 1;");
    assert_eq!(client.get("/echo?name=Ada").get("x-greeting"), Some("good evening, Ada"));

    // A module that imports another: both are pushed.
    fs::write(shop.join("src/words.ts"), "export const word = \"servus\";").expect("written");
    fs::write(
        &path,
        "import { word } from \"./words\";\nexport function responseModifier(ctx: any) {\n  ctx.upstream().headers.set(\"X-Greeting\", word);\n}",
    )
    .expect("written");
    until("is live");
    assert_eq!(client.ask(request("GET", "/echo", &[], b"")).get("x-greeting"), Some("servus"));
    fs::write(shop.join("src/words.ts"), "export const word = \"moin\";").expect("written");
    until("is live");
    assert_eq!(client.say("GET", "/echo", &[], b"").get("x-greeting"), Some("moin"));

    drop(pushing);
    node.stop();
}

#[test]
fn what_cannot_be_pushed_is_told() {
    let (_folder, shop) = project();
    let nobody = format!("http://127.0.0.1:{}", crate::operator::free_port());
    let told = ends(1, &shop, &["module", "dev", "--once", "--admin", &nobody]);
    assert!(told.contains("the admin API cannot be reached"), "{told}");
    let told = ends(2, &shop, &["module", "dev", "src/none", "--once"]);
    assert!(
        told.contains("give the module's file itself") || told.contains("give the file itself"),
        "{told}"
    );
    fs::write(shop.join("far.ts"), "export const far = 1;").expect("written");
    fs::write(
        shop.join("src/shop.ts"),
        "import { far } from '../far';\nexport const requestHandler = () => far;",
    )
    .expect("written");
    let told = ends(1, &shop, &["module", "dev", "--once", "--admin", &nobody]);
    assert!(told.contains("is in another folder"), "{told}");
}
