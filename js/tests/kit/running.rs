//! run(): the functions in their order, what goes upstream, what the client gets.

use crate::bench::{passes, single};

const IMPORTS: &str = r#"
import { describe, it, test, expect, beforeEach, afterEach, run, request, upstreamResponse, fakeClock, fakeFetch, logs,
  state, cache, secrets, env, mock, spyOn } from "tidegate/test";
import * as subject from "./a";
"#;

#[track_caller]
fn holds(module: &str, tests: &str) {
    passes(module, &format!("{IMPORTS}{tests}"));
}

#[test]
fn all_functions_in_order() {
    holds(
        r#"
        let order = "";
        export function fetchUpstream(ctx: any) { order = "f"; return "http://chosen"; }
        export async function requestModifier(ctx: any) {
          order += "q";
          ctx.request().headers.set("X-Order", order);
          ctx.request().path = "/other";
          ctx.request().query.set("b", "2 3");
          const body = await ctx.request().readJson();
          ctx.request().writeJson({ ...body, more: true });
          ctx.set("kept", 7);
        }
        export async function responseModifier(ctx: any) {
          const up = ctx.upstream();
          up.headers.set("X-Kept", ctx.get("kept"));
          up.headers.del("Server");
          up.status(201).writeJson({ was: await up.readText() });
        }"#,
        r#"
        it("goes through", async () => {
          const { sent, response, steps, error } = await run(subject,
            request({ path: "/a?x=1", headers: { Accept: "*/*" }, body: { n: 1 } }),
            { upstream: upstreamResponse({ status: 200, headers: { Server: "s" }, body: "up" }) });
          expect(error).toBeNull();
          expect(sent.url).toBe("http://chosen");
          expect([sent.method, sent.path, sent.query]).toEqual(["POST", "/other", "x=1&b=2+3"]);
          expect(sent.headers.get("x-order")).toBe("fq");
          expect(sent.json()).toEqual({ n: 1, more: true });
          expect(response.status).toBe(201);
          expect(response.headers.get("x-kept")).toBe("7");
          expect(response.headers.has("server")).toBe(false);
          expect(response.json()).toEqual({ was: "up" });
          expect(steps.map((step) => step.function)).toEqual(["fetchUpstream", "requestModifier", "responseModifier"]);
        });
        it("asks the upstream with what was sent", async () => {
          const upstream = mock((sent: any) => ({ body: sent.path }));
          const { response } = await run(subject, request({ body: {} }), { upstream });
          expect(response.json()).toEqual({ was: "/other" });
          expect(upstream).toHaveBeenCalledTimes(1);
        });
        it("runs one after the other", async () => {
          const all = await Promise.all([1, 2].map((n) => run(subject, request({ body: { n } }))));
          expect(all.map((one) => one.sent.json().n)).toEqual([1, 2]);
        });"#,
    );
}

#[test]
fn handlers_and_errors() {
    holds(
        r#"
        export function requestModifier(ctx: any) {
          if (ctx.request().headers.has("x-deny")) ctx.response().status(403).end("no");
        }
        export function requestHandler(ctx: any) {
          if (ctx.request().path === "/throw") throw new TypeError("broken");
          if (ctx.request().path === "/nothing") return;
          ctx.response().status(202).json({ id: ctx.pathParam("id"), from: ctx.request().remoteAddress, route: ctx.route().name });
        }
        export function errorHandler(ctx: any, error: any) {
          ctx.response().status(599).send([error.name, error.message, error.code].join("|"));
        }"#,
        r#"
        it("answers", async () => {
          const { response, sent } = await run(subject, request({ pathParams: { id: "7" }, remoteAddress: "10.1.2.3" }));
          expect(sent).toBeNull();
          expect([response.status, response.json()]).toEqual([202, { id: "7", from: "10.1.2.3", route: "test" }]);
        });
        it("has an error handler", async () => {
          const { response, error } = await run(subject, "/throw");
          expect(error).toBeInstanceOf(TypeError);
          expect([response.status, response.text()]).toEqual([599, "TypeError|broken|thrown"]);
          const failed = await run(subject, "/", { upstream: new Error("connection refused") });
          expect(failed.response.text()).toBe("UpstreamError|connection refused|connect_failed");
        });
        it("says nothing", async () => {
          expect((await run(subject, "/nothing")).response.status).toBe(204);
        });
        it("answers before the handler", async () => {
          const { response, steps } = await run(subject, request({ headers: { "x-deny": "1" } }));
          expect([response.status, response.text(), steps.length]).toEqual([403, "no", 1]);
        });"#,
    );
}

#[test]
fn several_modules_in_list_order() {
    holds(
        "export function fetchUpstream() { return 'http://a'; }",
        r#"
        const mark = (name: string) => ({
          requestModifier(ctx: any) { ctx.request().headers.add("x-order", name); ctx.set("last", name); },
          responseModifier(ctx: any) { ctx.upstream().headers.add("x-order", name + ctx.get("last")); },
        });
        it("runs all of them", async () => {
          const { sent, response } = await run([subject, mark("1"), { default: mark("2") }], "/", { upstream: {} });
          expect([sent.url, sent.headers.get("x-order"), response.headers.get("x-order")]).toEqual(["http://a", "1, 2", "12, 22"]);
        });
        it("asks error handlers until one answers", async () => {
          const handlers = [{ errorHandler() {} }, { errorHandler(ctx: any) { ctx.response().status(599).end("b"); } }];
          const { response, steps } = await run([subject, ...handlers], "/", { upstream: new Error("no") });
          expect([response.status, steps.length]).toEqual([599, 3]);
        });
        it("has one that chooses", async () => {
          await expect(run([subject, subject], "/")).rejects.toThrow("more than one of the modules exports fetchUpstream");
        });"#,
    );
}

#[test]
fn one_request_tells_what_each_function_did() {
    let report = single(
        r#"
        export function requestModifier(ctx: any) {
          console.log("looking at", ctx.request().path);
          ctx.request().headers.set("X-A", "1");
          ctx.request().headers.del("X-Old");
        }
        export function responseModifier(ctx: any) { ctx.upstream().status(418); throw new Error("late"); }"#,
        r#"{"request":{"path":"/p","headers":{"X-Old":"o"}},"upstream":{"status":200,"body":"hi"}}"#,
    );
    for part in [
        r#""function":"requestModifier""#,
        r#""request":["- X-Old: o","+ X-A: 1"]"#,
        r#""upstream":["- status: 200","+ status: 418"]"#,
        r#""text":"looking at /p""#,
        r#""message":"Error: late""#,
        "a.ts:7:",
        r#""status":500"#,
    ] {
        assert!(report.contains(part), "{part} is not in {report}");
    }
}
