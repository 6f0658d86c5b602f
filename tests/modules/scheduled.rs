//! Modules that run by themselves: they run, a new version takes over, failures are told, a run can be asked for, and what
//! is wrong is refused with its place.

use crate::Stage;
use crate::harness::until;
use crate::operator::Json as _;
use serde_json::{Value, json};

impl Stage {
    /// A page of JSON of the admin API below a module.
    #[track_caller]
    fn of_module(&self, method: &str, module: &str, rest: &str) -> (u16, Value) {
        let answer =
            self.node.admin(method, &format!("/api/v1/module/default/{module}/{rest}"), &Value::Null);
        (answer.status(), answer.json())
    }

    /// The documents of the collection `c`, by id.
    #[track_caller]
    fn documents(&self) -> Vec<(String, Value)> {
        let answer = self.node.admin("GET", "/api/v1/document?collection=c", &Value::Null);
        assert_eq!(answer.status(), 200, "{answer:?}");
        let rows = answer.json()["data"].as_array().expect("documents").clone();
        rows.into_iter()
            .map(|row| (row["id"].as_str().expect("an id").to_owned(), row["data"].clone()))
            .collect()
    }

    /// A sample of the metrics, by its name and all labels.
    #[track_caller]
    fn metric(&self, sample: &str) -> f64 {
        let text = self.node.admin("GET", "/metrics", &Value::Null).text();
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    /// What a module's log says of its scheduled runs.
    #[track_caller]
    fn runs(&self, module: &str) -> Vec<Value> {
        let (status, body) = self.of_module("GET", module, "logs?limit=1000");
        assert_eq!(status, 200, "{body}");
        let entries = body["data"].as_array().expect("entries").clone();
        entries.into_iter().filter(|entry| entry["kind"] == "scheduled").collect()
    }
}

/// Counts its runs in a document.
fn counting(id: &str, cron: &str) -> String {
    format!(
        "import {{ addDocument, getDocument }} from 'tidegate/state';
        export const scheduled = {{ cron: '{cron}', async run(event: any) {{
            const before = await getDocument('{id}', 'c');
            console.log('counting', event.id);
            await addDocument({{ id: '{id}', collection: 'c', data: {{
                runs: (before?.data.runs ?? 0) + 1, cron: event.cron, due: event.scheduledAt.getTime(),
            }} }});
        }} }};"
    )
}

fn collection(stage: &Stage) {
    stage.node.put("/api/v1/collection", json!({ "name": "c", "visibility": "public", "schema": {} }));
}

#[test]
fn a_module_runs_by_itself_until_it_is_replaced_or_deleted() {
    let stage = Stage::new();
    collection(&stage);
    stage.node.module("ticks", &counting("first", "@every 1s"));
    let runs = |id: &str| {
        let found = stage.documents().into_iter().find(|(found, _)| found == id);
        found.map_or(0, |(_, data)| data["runs"].as_u64().expect("a number"))
    };
    until("it has run twice", || runs("first") >= 2);
    let (_, data) = stage.documents().remove(0);
    assert_eq!((&data["cron"], data["due"].as_u64().expect("a time") % 1_000), (&json!("@every 1s"), 0));
    let runs_total = "tidegate_module_scheduled_runs_total{module=\"default/ticks\",outcome=\"ok\"}";
    until("it is counted", || stage.metric(runs_total) >= 2.0);
    let last = "tidegate_module_scheduled_last_run_timestamp_seconds{module=\"default/ticks\"}";
    assert!(stage.metric(last) > 1e9);
    let (status, schedule) = stage.of_module("GET", "ticks", "schedule");
    let job = &schedule["data"][0];
    assert_eq!(
        (status, &job["cron"], &job["per"], &job["index"]),
        (200, &json!("@every 1s"), &json!("node"), &json!(0))
    );
    assert_eq!(
        (&job["last"]["outcome"], &job["last"]["manual"]),
        (&json!("ok"), &json!(false)),
        "{schedule}"
    );
    assert!(job["next"].as_str().is_some_and(|next| next.ends_with(".000Z")), "{schedule}");
    let told = stage.runs("ticks");
    assert!(told.iter().any(|run| run["level"] == "debug" && run["function"] == "scheduled"), "{told:?}");
    // Other code: what the first wrote stays as it is, apart from a run that was under way.
    stage.node.module("ticks", &counting("second", "@every 1s"));
    let before = runs("first");
    until("the new one has run twice", || runs("second") >= 2);
    assert!(runs("first") <= before + 1, "the code before it runs no more");
    let answer = stage.node.admin("DELETE", "/api/v1/module/default/ticks", &Value::Null);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(stage.of_module("GET", "ticks", "schedule").0, 404);
    let before = runs("second");
    // A clock for what must not happen: another module that runs as often.
    stage.node.module("clock", &counting("clock", "@every 1s"));
    until("time goes on", || runs("clock") >= 3);
    assert!(runs("second") <= before + 1, "what is deleted runs no more");
}

#[test]
fn a_run_that_somebody_asks_for() {
    let stage = Stage::new();
    collection(&stage);
    // A job of the cluster on a route's module too: one script for both.
    let source = format!(
        "{}\nexport function requestHandler(ctx: any) {{ ctx.response().send('here'); }}",
        counting("asked", "@yearly").replace("cron:", "per: 'cluster', cron:").replacen(
            "per: 'cluster', cron: event",
            "cron: event",
            1
        )
    );
    stage.alone("both", &source);
    assert_eq!(stage.get("/both").text(), "here");
    for expected in 1..=3 {
        let (status, body) = stage.of_module("POST", "both", "run");
        assert_eq!(
            (status, &body["data"]["outcome"], &body["data"]["manual"]),
            (200, &json!("ok"), &json!(true)),
            "{body}"
        );
        assert_eq!(stage.documents()[0].1["runs"], expected, "it is done when it is answered");
    }
    let (_, schedule) = stage.of_module("GET", "both", "schedule");
    let job = &schedule["data"][0];
    assert_eq!(
        (&job["per"], &job["lastInCluster"], &job["running"]),
        (&json!("cluster"), &Value::Null, &json!(false))
    );
    for (path, status) in [("both", 404), ("nothing", 404)] {
        assert_eq!(stage.of_module("POST", path, "run?index=1").0, status, "{path}");
    }
    assert_eq!(stage.of_module("POST", "both", "run?index=x").0, 400);
    assert_eq!(stage.of_module("GET", "both", "run").0, 405);
}

#[test]
fn how_a_run_fails_is_told() {
    let stage = Stage::with(&[("--scheduled-timeout", "300ms"), ("--module-cpu-ms", "50")]);
    stage.node.module(
        "fails",
        "export const scheduled = [
            { cron: '@yearly', run() { throw new TypeError('no good') } },
            { cron: '@yearly', run: () => new Promise((done) => setTimeout(done, 60_000)) },
            { cron: '@yearly', run() { for (;;) {} } },
            { cron: '@yearly', run() { return 'fine' } },
        ];",
    );
    for (index, outcome) in [(0, "thrown"), (1, "timed_out"), (2, "cpu_time"), (3, "ok")] {
        let (status, body) = stage.of_module("POST", "fails", &format!("run?index={index}"));
        assert_eq!((status, &body["data"]["outcome"]), (200, &json!(outcome)), "{body}");
        if index == 0 {
            assert_eq!(body["data"]["error"], "TypeError: no good");
            assert!(
                body["data"]["stack"][0].as_str().is_some_and(|frame| frame.contains("fails.ts:2:")),
                "{body}"
            );
        }
    }
    until("the log has them all", || stage.runs("fails").len() >= 4);
    let runs = stage.runs("fails");
    let told = |at: usize, name: &str| runs[at][name].as_str().unwrap_or_default().to_owned();
    assert_eq!((told(0, "level"), told(3, "level")), ("error".into(), "debug".into()));
    assert!(
        told(0, "text").contains("scheduled[0], run by hand: failed (thrown): TypeError: no good"),
        "{runs:?}"
    );
    assert!(runs[0].to_string().contains("fails.ts:2:"), "{runs:?}");
    assert!(told(1, "text").contains("--scheduled-timeout"), "{runs:?}");
    stage.node.wait_log(&["scheduled_run", "default/fails", "TypeError: no good"]);
    // An ordinary request finds the shard as it was.
    stage.alone("after", "export function requestHandler(ctx: any) { ctx.response().send('well'); }");
    assert_eq!(stage.get("/after").text(), "well");
}

#[test]
fn what_is_wrong_is_refused_when_it_is_written() {
    let stage = Stage::new();
    for (source, why) in [
        (
            "\nexport const scheduled = { cron: '61 * * * *', run() {} }",
            "m.ts:2:1: scheduled.cron: '61 * * * *'",
        ),
        (
            "export const scheduled = [{ cron: '@daily', run() {} }, { cron: '@often', run() {} }]",
            "m.ts:1:1: scheduled[1].cron: '@often' is unknown",
        ),
        (
            "export const schedule = '@every 10ms'; export function scheduled() {}",
            "schedule: '@every 10ms' is not between 1s",
        ),
        (
            "export const scheduled = { cron: '@daily', timezone: 'Mars', run() {} }",
            "scheduled.timezone: there is no time zone 'Mars'",
        ),
        ("export const scheduled = { cron: '@daily' }", "scheduled.run must be a function"),
        ("export function scheduled() {}", "schedule must be exported beside it"),
    ] {
        let body = crate::operator::node::module("m", source);
        let answer = stage.node.admin("PUT", "/api/v1/module", &body);
        let fault = &answer.json()["faults"][0];
        assert_eq!((answer.status(), &fault["at"]), (400, &json!("payload")), "{source}: {answer:?}");
        assert!(fault["why"].as_str().is_some_and(|told| told.contains(why)), "{source}: {fault}");
    }
    assert_eq!(stage.node.admin("GET", "/api/v1/module/default/m", &Value::Null).status(), 404);
}

#[test]
fn a_run_of_the_cluster_goes_on_after_a_restart() {
    let stage = Stage::new();
    collection(&stage);
    let source = counting("kept", "@every 1s").replacen("cron:", "per: 'cluster', cron:", 1);
    stage.node.module("ticks", &source);
    let due = |job: &Value| job["lastInCluster"]["due"].as_str().unwrap_or_default().to_owned();
    let job = |node: &crate::operator::node::Node| {
        let path = "/api/v1/module/default/ticks/schedule";
        node.admin("GET", path, &Value::Null).json()["data"][0].clone()
    };
    until("it is on record", || job(&stage.node)["lastInCluster"]["outcome"] == "ok");
    let before = due(&job(&stage.node));
    assert_eq!(job(&stage.node)["lastInCluster"]["node"], 1);
    let again = stage.node.again();
    let Stage { node, .. } = stage;
    node.stop();
    let node = again.start();
    until("it goes on", || due(&job(&node)) > before);
    node.stop();
}

#[test]
fn a_run_reaches_what_a_request_does() {
    let stage = Stage::new();
    stage.node.put("/api/v1/secret", json!({ "name": "key", "data": "hush" }));
    let source = "import { secret } from 'tidegate';
        import { increment, getCache, setCache } from 'tidegate/storage';
        export const scheduled = { cron: '@yearly', async run() {
            const answer = await fetch('URL/from-a-job', { headers: { 'x-key': secret('key') } });
            const told: any = await answer.json();
            await new Promise((done) => setTimeout(done, 5));
            setCache('told', told.target + ' ' + told.fields['x-key']);
            await increment('runs');
            console.log(getCache('told'));
        } };";
    let mut module = crate::operator::node::module(
        "reaches",
        &source.replace("URL", stage.upstream.url().trim_end_matches('/')),
    );
    module["permissions"] = json!(["net:fetch", "net:private", "secrets:key", "cache"]);
    stage.node.put("/api/v1/module", module);
    for _ in 0..2 {
        let (status, body) = stage.of_module("POST", "reaches", "run");
        assert_eq!((status, &body["data"]["outcome"]), (200, &json!("ok")), "{body}");
    }
    let console = || {
        let (_, body) = stage.of_module("GET", "reaches", "logs");
        let entries = body["data"].as_array().expect("entries").clone();
        entries.into_iter().filter(|entry| entry["kind"] == "console").collect::<Vec<_>>()
    };
    until("its words are in the log", || console().len() == 2);
    let line = console().remove(0);
    assert_eq!(
        (&line["text"], &line["function"]),
        (&json!("/from-a-job hush"), &json!("scheduled")),
        "{line}"
    );
    assert!(line["request_id"].as_str().is_some_and(|id| id.starts_with("run-")), "{line}");
}
