//! What a test decides about the world of its module: the clock, fetch, state, cache, secrets, the environment, the console.

use crate::bench::{passes, report, settings};
use tidegate_js::Grants;
use tidegate_js::kit::{Settings, Verdict};

const IMPORTS: &str = r#"
import { describe, it, expect, beforeEach, afterEach, run, request, fakeClock, fakeFetch, logs, state, cache, secrets, env,
  mock, spyOn } from "tidegate/test";
import * as subject from "./a";
"#;

#[track_caller]
fn holds(module: &str, tests: &str) {
    passes(module, &format!("{IMPORTS}{tests}"));
}

#[test]
fn time_moves_when_it_is_told_to() {
    holds(
        "export const unused = 1;",
        r#"
        it("ticks through timers in order", async () => {
          const seen: string[] = [];
          setTimeout(() => seen.push("b"), 20);
          setTimeout(() => { seen.push("a"); setTimeout(() => seen.push("c"), 15); }, 10);
          const every = setInterval(() => seen.push("."), 10);
          await fakeClock.tick(9);
          expect(seen).toEqual([]);
          await fakeClock.tick(16);
          expect(seen.join("")).toBe("a.b.c");
          clearInterval(every);
          expect(performance.now()).toBe(25);
        });
        it("begins every test at the same time, and can be set", () => {
          expect(new Date().toISOString()).toBe("2026-01-01T00:00:00.000Z");
          fakeClock.set("2030-05-06T00:00:00Z");
          expect(new Date().getUTCFullYear()).toBe(2030);
        });
        it("jumps when nothing else can go on", async () => {
          await new Promise<void>((resolve) => setTimeout(resolve, 4000));
          expect(performance.now()).toBe(4000);
        });
        it("has time for long waits", async () => {
          await new Promise<void>((resolve) => setTimeout(resolve, 60000));
        }, { timeoutMs: 100000 });"#,
    );
}

#[test]
fn state_cache_secrets_and_hooks() {
    let tests = format!(
        "{IMPORTS}{}",
        r#"
        secrets.set("key", "s3");
        const order: string[] = [];
        beforeEach(() => { order.push("outer"); state.put("links", "a", { url: "u" }); });
        describe("group", () => {
          beforeEach(() => { order.push("inner"); env.set({ NAME: "e" }); });
          afterEach(() => { order.push("after"); });
          it("reads and writes", async () => {
            const { response } = await run(subject, "/b");
            expect(response.json()).toEqual({ a: "u", secret: "s3", env: "e" });
            expect(state.get("links", "b")).toEqual({ url: "/b" });
            expect(state.all("links")).toHaveLength(2);
            expect(logs("warn")).toMatchObject([{ module: expect.stringContaining("a"), text: "careful" }]);
          });
          it("begins anew", () => {
            expect(state.all("links")).toEqual([{ id: "a", data: { url: "u" } }]);
            expect(cache.get("n")).toBeUndefined();
            expect(logs()).toEqual([]);
            expect(order).toEqual(["outer", "inner", "after", "outer", "inner"]);
          });
        });
        it("forgets in time", async () => {
          cache.set("short", "v", 100);
          await fakeClock.tick(99);
          expect(cache.get("short")).toBe("v");
          await fakeClock.tick(1);
          expect(cache.get("short")).toBeUndefined();
        });
        "#
    );
    let module = r#"
        import { getDocument, addDocument } from "tidegate/state";
        import { secret, env } from "tidegate";
        export async function requestHandler(ctx: any) {
          const a: any = await getDocument("a", "links");
          await addDocument({ collection: "links", id: "b", data: { url: ctx.request().path } });
          console.warn("careful");
          ctx.response().json({ a: a.data.url, secret: secret("key"), env: env("NAME") });
        }"#;
    let granted = Settings {
        grants: Grants::parse(&["documents:read", "documents:write", "cache", "secrets:key", "env:NAME"])
            .expect("good permissions"),
        ..settings()
    };
    let found = report(&[("a.test.ts", &tests), ("a.ts", module)], &granted);
    assert_eq!(found.broken, None);
    for test in &found.tests {
        assert_eq!(test.verdict, Verdict::Passed, "{:?}", test.name);
    }
    let refused = report(&[("a.test.ts", &tests), ("a.ts", module)], &settings());
    let Verdict::Failed(faults) = &refused.tests[0].verdict else { panic!("{refused:?}") };
    assert!(format!("{faults:?}").contains("the module lacks the permission 'secrets:key'"), "{faults:?}");
}

#[test]
fn counters_are_exact_and_those_of_the_cluster_are_others() {
    holds(
        "export { increment, compareAndSet, readCache, hasCache } from 'tidegate/storage';",
        r#"
        it("counts", async () => {
          expect(await subject.increment("n", 2, { ttl: 1 })).toBe(2);
          expect(await subject.increment("n", 1, { scope: "cluster" })).toBe(1);
          expect([cache.get("n"), subject.hasCache("n")]).toEqual([2, true]);
          expect(await subject.compareAndSet("n", 2, 9)).toBe(true);
          expect(await subject.compareAndSet("n", 2, 10)).toBe(false);
          expect(await subject.readCache("n", { scope: "cluster" })).toBe(1);
          cache.set("text", "not a number");
          await expect(subject.increment("text")).rejects.toThrow("no whole number");
        });"#,
    );
}

#[test]
fn mocks_and_spies() {
    holds(
        "export const tool = { name: () => 'real' }; export function fixed() {}",
        r#"
        it("replaces a method", () => {
          const spy = spyOn(subject.tool, "name").returns("fake");
          expect(subject.tool.name()).toBe("fake");
          expect(spy).toHaveBeenCalledTimes(1);
        });
        it("says what cannot be replaced", () => {
          expect(() => spyOn(subject, "fixed" as any)).toThrow("exports of a module");
          expect(() => spyOn(globalThis, "fetch" as any)).toThrow("'fetch' cannot be replaced");
        });
        it("gives it back", () => expect(subject.tool.name()).toBe("real"));
        it.each([[1, 2, 3], [2, 2, 4]])("adds %0 and %1", (a: number, b: number, sum: number) => {
          const add = mock((x: number, y: number) => x + y);
          expect(add(a, b)).toBe(sum);
          expect(add).toHaveBeenCalledWith(a, b);
          add.returns(9).once(() => 8);
          expect([add(0, 0), add(0, 0)]).toEqual([8, 9]);
        });"#,
    );
}
