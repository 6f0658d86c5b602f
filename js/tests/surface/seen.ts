// Looks at everything a module can reach and tells it as JSON: { globals, modules, objects }, each a name with its members
// and their kinds. Runs in the engine, for the test beside it.
import * as tidegate from "tidegate";
import * as state from "tidegate/state";
import * as crypto from "tidegate/crypto";
import * as storage from "tidegate/storage";
import * as http from "tidegate/http";
import * as util from "tidegate/util";
import * as x from "tidegate/x";

type Members = Record<string, string>;

// Parts of the language: what every engine has, and functions have besides their own.
const OF_FUNCTIONS = ["length", "name", "prototype", "arguments", "caller"];

function kind(holder: object, key: string): string {
  const found = Object.getOwnPropertyDescriptor(holder, key)!;
  return "value" in found && typeof found.value === "function" ? "method" : "property";
}

function members(holder: object, without: string[] = []): Members {
  // Names like __defineGetter__ may be among them.
  const all: Members = Object.create(null);
  for (const key of Reflect.ownKeys(holder)) {
    const name = typeof key === "symbol" ? `[${key.description}]` : key;
    if (name === "constructor" || name === "[Symbol.toStringTag]" || without.includes(name)) continue;
    all[name] = kind(holder, key as string);
  }
  return all;
}

// Own members and those of its prototypes, up to what every object has.
function whole(object: any): Members {
  let all: Members = {};
  for (let at = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) all = { ...members(at), ...all };
  return all;
}

const isClass = (value: any) =>
  typeof value === "function" && typeof value.prototype === "object" && value.prototype !== null &&
  (Reflect.ownKeys(value.prototype).length > 1 || /^[A-Z]/.test(value.name));

function described(value: any): any {
  if (isClass(value)) {
    const above = Object.getPrototypeOf(value.prototype)?.constructor?.name;
    return { kind: "class", above: above === "Object" ? null : above, members: members(value.prototype), statics: members(value, OF_FUNCTIONS) };
  }
  return typeof value === "function" ? { kind: "function" } : { kind: "value", members: typeof value === "object" && value !== null ? whole(value) : {} };
}

function all(names: string[], holder: any): any {
  return Object.fromEntries(names.sort().map((name) => [name, described(holder[name])]));
}

export async function responseModifier(ctx: any): Promise<void> {
  const modules: any = {};
  for (const [name, space] of Object.entries({ tidegate, state, crypto, storage, http, util, x })) {
    modules[name === "tidegate" ? name : `tidegate/${name}`] = all(Object.keys(space), space);
  }
  const objects = {
    Context: ctx,
    GatewayRequest: ctx.request(),
    UpstreamResponse: ctx.upstream(),
    GatewayResponse: ctx.response(),
    Fields: ctx.request().headers,
    Query: ctx.request().query,
    Trailer: ctx.upstream().trailer,
    Hash: crypto.createHash("sha256"),
    Console: console,
    Performance: performance,
    Crypto: globalThis.crypto,
    SubtleCrypto: globalThis.crypto.subtle,
  };
  ctx.upstream().writeJson({
    globals: all(Object.getOwnPropertyNames(globalThis), globalThis),
    modules,
    objects: Object.fromEntries(Object.entries(objects).map(([name, object]) => [name, whole(object)])),
  });
}
