// ctx and what is reached from it. The objects are native: they hold their lease's number, and the methods that nearly every
// module calls are native too (native/objects.rs). Each lease gets fresh ones, and the native side refuses a number that
// is not the current one, so an object kept from an earlier request cannot see a later one.
import { admit, native, promised, settle, reset as forget, adopt, bytes, from, later } from "tidegate:native";
import "tidegate:hardening";

export { settle, adopt };

const { lease: leaseOf, handle, current, know, hold, fieldSet, fieldValues, fields, part, setPart } = native;
const { stringify, parse } = JSON;
const { ownKeys } = Reflect;
const { isFinite } = Number;
const REQUEST = 0;
const METHOD = 0;
const PATH = 1;
const HOST = 3;
const REMOTE = 4;
const PROTOCOL = 5;
const ERROR_HANDLER = 4;

// What few requests need, of the lease that last needed it.
let lease = -1;
let query = null;
let rest = null;
let locals = null;
// Bodies that are being written, and those that were taken as streams, by their side.
export let pumps = [];
export let taken = [null, null, null];

function begin(g) {
  lease = g;
  query = rest = locals = null;
  if (pumps.length > 0) pumps = [];
  if (taken[0] !== null || taken[1] !== null || taken[2] !== null) taken = [null, null, null];
}

// Before anything of these is looked at. What the native side does not know of is gone when the context is given back.
export function at(g) {
  if (g !== current()) throw new Error("the request is over");
  if (g === lease) return;
  begin(g);
  know();
}

// What few requests need is evaluated when one does.
const parts = () => from("tidegate:parts", "parts");
const bodies = () => from("tidegate:bodies", "bodies");

// What JSON gives back as it was.
function isPlain(value) {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return true;
    case "number":
      return isFinite(value) && (value !== 0 || 1 / value > 0);
    default:
      return value === null;
  }
}

// Lets go of the current lease between two functions of a request, if all that is here can be made again: true, or the
// values that ctx.set() got as JSON. False: it has to stay in this context.
export function rested() {
  if (pumps.length > 0 || taken[0] !== null || taken[1] !== null || taken[2] !== null) return false;
  if (query !== null) return false;
  const text = rest === null || !rest.isSet ? true : stringify(rest.values);
  begin(-1);
  return text;
}

// Values that rested() gave, in the context where the request goes on.
export function restore(text) {
  at(current());
  const values = parse(text);
  rest = makeRest();
  rest.isSet = true;
  const keys = ownKeys(values);
  for (let i = 0; i < keys.length; i++) rest.values[keys[i]] = values[keys[i]];
}

function makeRest() {
  return { __proto__: null, values: { __proto__: null }, isSet: false, params: null, described: [] };
}

// What an errorHandler is called with.
export function errorOf(name, message, code) {
  const error = new Error(message);
  if (name !== "" && name !== "Error") error.name = name;
  if (code !== "") error.code = code;
  return error;
}

// For the test kit, which calls functions of modules from JavaScript.
const functions = [];

export function bind(index, f, self) {
  functions[index] = self === undefined ? f : (ctx, error) => f.call(self, ctx, error);
}

export function invoke(index) {
  const f = functions[index];
  return f(native.enter(index));
}

export function invokeErrorHandler(name, message, code) {
  const f = functions[ERROR_HANDLER];
  return f(native.enter(ERROR_HANDLER), errorOf(name, message, code));
}

// A Response that a function returned; asked only where that class was ever loaded.
export function respond(generation, value) {
  from("tidegate:web/answer", "answer")(generation, value, bodies().writeStream);
}

export function pumping() {
  return lease !== current() || pumps.length === 0 ? undefined : bodies().pumped(pumps);
}

// Replaces a body by data, or by a stream where that class was ever loaded.
export function writeBody(g, side, data) {
  if (typeof data === "object" && later.readable?.isReadable(data)) bodies().writeStream(g, side, data);
  else native.writeBody(g, side, bytes(data));
  if (g === lease) taken[side] = null;
}

export function readBody(g, side) {
  if (g === lease && taken[side] !== null) throw new TypeError("the body was taken as a stream: read it from there");
  return promised(native.readBody(g, side));
}

export function reset() {
  forget();
  begin(-1);
}

export function queryOf(g) {
  at(g);
  return (query ??= parts().query(g));
}

// ctx.response().locals: an object of the module's own.
export function localsOf(g, chosen) {
  at(g);
  hold();
  return (locals = chosen ?? locals ?? { __proto__: null });
}

const made = () => {
  throw new TypeError("these objects are the gateway's to make");
};

export class Headers {
  constructor() { made(); }
  values(name) {
    if (name !== undefined) return fieldValues(handle(this) >> 2, handle(this) & 3, name);
    return this.entries().map((pair) => pair[1]);
  }
  entries() {
    const flat = fields(handle(this) >> 2, handle(this) & 3);
    const pairs = [];
    for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
    return pairs;
  }
  keys() {
    return this.entries().map((pair) => pair[0]);
  }
  forEach(each, self) {
    for (const [name, value] of this.entries()) each.call(self, value, name, this);
  }
  [Symbol.iterator]() {
    return this.entries()[Symbol.iterator]();
  }
  toJSON() {
    return parts().grouped(fields(handle(this) >> 2, handle(this) & 3));
  }
}

export async function readJson(g, side) {
  const body = native.utf8Decode(await readBody(g, side), true, false);
  return parse(body);
}

export function jsonText(value) {
  const text = stringify(value);
  if (text === undefined) throw new TypeError("this value has no JSON form");
  return text;
}

class Request {
  constructor() { made(); }
  get method() { return part(leaseOf(this) << 2, METHOD); }
  set method(value) { setPart(leaseOf(this), METHOD, value); }
  get path() { return part(leaseOf(this) << 2, PATH); }
  set path(value) { setPart(leaseOf(this), PATH, value); }
  get host() { return part(leaseOf(this) << 2, HOST); }
  set host(value) { setPart(leaseOf(this), HOST, value); }
  get remoteAddress() { return part(leaseOf(this) << 2, REMOTE); }
  get proto() { return part(leaseOf(this) << 2, PROTOCOL); }
  get query() { return queryOf(leaseOf(this)); }
  get contentLength() { return native.contentLength(leaseOf(this), REQUEST); }
  get body() { return bodies().takeBody(leaseOf(this), REQUEST); }
  async readBody() { return readBody(leaseOf(this), REQUEST); }
  async readJson() { return readJson(leaseOf(this), REQUEST); }
  async readText() { return native.utf8Decode(await this.readBody(), false, false); }
  writeBody(data) { writeBody(leaseOf(this), REQUEST, data); }
  writeJson(value) {
    writeBody(leaseOf(this), REQUEST, jsonText(value));
    fieldSet(leaseOf(this) << 2 | REQUEST, "Content-Type", "application/json");
  }
  // A web Request of what goes upstream; its body is the stream of this one's.
  toRequest() { return bodies().toRequest(leaseOf(this), this); }
  toJSON() {
    const { method, path, headers, query, host, remoteAddress, proto, contentLength } = this;
    return { method, path, headers, query, host, remoteAddress, proto, contentLength };
  }
}

// The module's own values, parameters, descriptions.
function restOf(g) {
  at(g);
  return (rest ??= makeRest());
}

function paramsOf(g) {
  const known = restOf(g);
  if (known.params === null) {
    const flat = native.params(g);
    known.params = { __proto__: null };
    for (let i = 0; i < flat.length; i += 2) known.params[flat[i]] = flat[i + 1];
  }
  return known.params;
}

function described(g, what) {
  const known = restOf(g).described;
  hold();
  return (known[what] ??= native.describe(g, what));
}

class Context {
  constructor() { made(); }
  get id() { return native.id(leaseOf(this)); }
  // Modules of one route have contexts of their own: what one keeps for another crosses as JSON.
  set(key, value) {
    const g = leaseOf(this);
    const known = restOf(g);
    known.values[key] = value;
    known.isSet = true;
    if (!isPlain(value) || typeof key === "symbol") hold();
    if (native.isChained(g)) {
      const text = stringify(value);
      if (text !== undefined) native.share(g, key, text);
    }
  }
  get(key) {
    const g = leaseOf(this);
    const own = restOf(g).values;
    if (native.isChained(g)) {
      const text = native.shared(g, key);
      if (text !== undefined) return parse(text);
    }
    return own[key];
  }
  query() { return queryOf(leaseOf(this)); }
  // One object for the whole request, which the module may change.
  pathParams() {
    const params = paramsOf(leaseOf(this));
    hold();
    return params;
  }
  pathParam(key) { return paramsOf(leaseOf(this))[key] ?? ""; }
  route() { return described(leaseOf(this), 0); }
  service() { return described(leaseOf(this), 1); }
  namespace() { return described(leaseOf(this), 2); }
  toJSON() {
    const answer = this.upstream();
    return { id: this.id, pathParams: this.pathParams(), request: this.request(), ...(answer ? { upstream: answer } : {}) };
  }
}

native.shape("Context", Context.prototype);
native.shape("Request", Request.prototype);
native.shape("Headers", Headers.prototype);
admit(Context, Request, Headers);
