//! A module that calls everything it can reach with whatever comes to hand: the gateway lives, every message stays one
//! message, and no line break gets out. `TIDEGATE_GARBAGE` is how many requests do so (a seed each).

use crate::Stage;
use crate::operator::node::client;
use serde_json::json;

const MODULE: &str = r#"
import * as root from "tidegate";
import * as http from "tidegate/http";
import * as crypto2 from "tidegate/crypto";
import * as state from "tidegate/state";
import * as storage from "tidegate/storage";
import * as util from "tidegate/util";

const GLOBALS = ["URL", "URLSearchParams", "URLPattern", "Headers", "Request", "Response", "ReadableStream",
  "WritableStream", "TransformStream", "TextEncoder", "TextDecoder", "AbortController", "AbortSignal", "Blob", "FormData",
  "Event", "EventTarget", "DOMException", "structuredClone", "atob", "btoa", "fetch", "console", "crypto", "performance",
  "setTimeout", "clearTimeout", "queueMicrotask", "JSON", "Object", "Reflect", "Array", "String", "Promise", "Proxy",
  "RegExp", "Date", "Math", "Symbol", "Map", "Set", "Uint8Array", "DataView", "ArrayBuffer", "BigInt", "Number"];

function random(seed) {
  let s = seed >>> 0 || 1;
  return (n) => {
    s ^= s << 13; s >>>= 0; s ^= s >>> 17; s ^= s << 5; s >>>= 0;
    return s % n;
  };
}

function garbage(next, pool) {
  const list = [
    undefined, null, true, false, 0, -1, 1, 200, 204, 304, 100, 999, 1.5, NaN, Infinity, 2 ** 31, 2 ** 53, "", "a", "GET", "/x",
    "a\r\nX-Injected: 1", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "\0", "\n", "é", "\ud800", "\u2028", "x".repeat(70000),
    "http://127.0.0.1:1/\r\nX-Injected: 1", "http://127.0.0.1:1/", "data:,x", "%0d%0aX-Injected: 1", "Transfer-Encoding",
    "Content-Length", "Connection", "Host", "Set-Cookie", "X-Ok", "hex", "sha256", {}, [], [1, 2], ["a\r\nb", "c\r\nX-Injected: 1"],
    { "X-Injected\r\n": "1", a: "b\r\nX-Injected: 1" }, () => 1, async () => "x", Symbol("s"), new Uint8Array(3),
    new ArrayBuffer(5), new Map([[1, 2]]), new Date(NaN), new Error("x\r\nX-Injected: 1"), Object.create(null),
    { toString() { throw new Error("t") } }, { get length() { return -1 } }, { then(go) { go(1) } },
    new Proxy({}, { get() { throw new Error("p") } }), 10n, /x/g, new DataView(new ArrayBuffer(2)),
    { method: "PO ST", headers: { "a\nb": "c" }, body: "x", status: 200, ttl: -1, name: "\r\n", domain: "\r\nX-Injected: 1" },
  ];
  const at = next(list.length + 8);
  return at < list.length ? list[at] : pool[next(pool.length)];
}

function names(object) {
  const all = [];
  for (let o = object; o !== null && o !== undefined && all.length < 200; o = Object.getPrototypeOf(o)) {
    if (o === Object.prototype || o === Function.prototype) break;
    all.push(...Reflect.ownKeys(o));
  }
  return all;
}

async function rummage(ctx) {
  const next = random(Number(ctx.request().headers.get("x-seed")) + 7919 * (ctx.upstream() ? 2 : 1));
  const pool = [ctx, ctx.request(), ctx.request().headers, ctx.request().query, ctx.response(), ctx.response().headers,
    root, http, crypto2, state, storage, util];
  if (ctx.upstream()) pool.push(ctx.upstream(), ctx.upstream().headers, ctx.upstream().trailer);
  for (let i = 0; i < 6; i++) pool.push(globalThis[GLOBALS[next(GLOBALS.length)]]);
  for (let i = 0; i < 60; i++) {
    try {
      const target = pool[next(pool.length)];
      if ((typeof target !== "object" && typeof target !== "function") || target === null) continue;
      const keys = names(target);
      if (keys.length === 0) continue;
      const key = keys[next(keys.length)];
      const parameters = Array.from({ length: next(4) }, () => garbage(next, pool));
      let result;
      const what = next(10);
      if (what === 0) target[key] = garbage(next, pool);
      else {
        const member = typeof target === "function" && what < 4 ? target : target[key];
        if (typeof member !== "function") result = member;
        else if (what < 6 && member.prototype) result = Reflect.construct(member, parameters);
        else result = Reflect.apply(member, target, parameters);
      }
      if (result && typeof result.then === "function" && next(3) > 0) {
        result = await Promise.race([result, root.asyncSleep("2ms")]);
      } else if (result instanceof Promise) result.catch(() => {});
      if (result !== null && (typeof result === "object" || typeof result === "function")) pool[next(pool.length)] = result;
    } catch {}
  }
}

export async function requestModifier(ctx) { await rummage(ctx); }
export async function responseModifier(ctx) { await rummage(ctx); }
export async function requestHandler(ctx) { await rummage(ctx); if (ctx.request().headers.get("x-seed") % 3 === 0) return new Response("x"); }
export async function errorHandler(ctx) { await rummage(ctx); }
"#;

fn rounds() -> u64 {
    std::env::var("TIDEGATE_GARBAGE").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

#[test]
fn whatever_a_module_passes_nothing_breaks() {
    let stage = Stage::with(&[("--module-cpu-ms", "50"), ("--module-body-bytes", "64k")]);
    stage.node.put(
        "/api/v1/module",
        json!({
            "name": "garbage", "moduleType": "javascript", "payloadRaw": MODULE,
            "permissions": ["net:fetch:127.0.0.1", "net:private", "documents:read", "documents:write", "cache", "secrets", "env"],
        }),
    );
    stage.route("proxied", &["garbage"], Some("s"));
    let handled =
        json!({ "name": "handled", "paths": ["/handled"], "methods": ["*"], "modules": ["garbage"] });
    stage.node.put("/api/v1/route", handled);
    let mut statuses = std::collections::BTreeMap::new();
    for seed in 0..rounds() {
        for path in ["/proxied/a/b?q=1", "/handled"] {
            let mut client = client(stage.node.proxy);
            client.send(format!(
                "POST {path} HTTP/1.1\r\nHost: h\r\nX-Seed: {seed}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
            ));
            // A body that breaks off is allowed: a stream of the module's failed. Bytes that are no message are not.
            match client.try_response() {
                Ok(answer) => {
                    assert!(answer.get("x-injected").is_none(), "seed {seed}: {answer:?}");
                    *statuses.entry(answer.status()).or_insert(0) += 1;
                }
                Err(trouble) => assert!(
                    !matches!(trouble, crate::harness::Trouble::Damaged(_)),
                    "seed {seed} {path}: {trouble:?}"
                ),
            }
        }
    }
    println!("{statuses:?}");
    assert_eq!(stage.upstream.damage(), Vec::<String>::new());
    for request in stage.upstream.requests() {
        assert!(request.get("x-injected").is_none(), "{request:?}");
    }
    stage.alone("alive", "export const requestHandler = (ctx) => ctx.response().send('alive')");
    assert_eq!(stage.get("/alive").text(), "alive");
}
