// ctx and everything reached from it. Each lease gets fresh objects that carry its number; the native side refuses
// a number that is not the current one, so an object kept from an earlier request cannot see a later one.
import { admit, native, promised, settle, reset as forget, adopt, bytes, from, later } from "tidegate:native";
import "tidegate:hardening";

export { settle, adopt };

const { bare, fieldGet, fieldSet, fieldAdd, fieldRemove, fieldHas, fieldValues, fields, part, setPart } = native;
const { stringify, parse } = JSON;
const { ownKeys } = Reflect;
const { isFinite } = Number;
const REQUEST = 0;
const METHOD = 0;
const PATH = 1;
const HOST = 3;
const REMOTE = 4;
const PROTOCOL = 5;
const RESPONSE_MODIFIER = 2;
const ERROR_HANDLER = 4;

const functions = [];
let phase = 0;

// Objects of the current lease. They are kept here and not in fields of each other: fields cost more than all the
// rest. Whoever still holds an object of an earlier lease fails at ours().
export let lease = -1;
let current = null;
let request = null;
let response = null;
let upstream = null;
let requestHeaders = null;
let query = null;
let rest = null;
// Something of the current lease is only here: its objects cannot be made again in another context.
let held = false;

export function hold() {
  held = true;
}

function ours(g) {
  if (g !== lease) throw new Error("the request is over");
}

// What few requests need is evaluated when one does.
const parts = () => from("tidegate:parts", "parts");
const bodies = () => from("tidegate:bodies", "bodies");

export function bind(index, f, self) {
  functions[index] = self === undefined ? f : (ctx, error) => f.call(self, ctx, error);
}

function enter(index, generation) {
  phase = index;
  if (generation !== lease) {
    lease = generation;
    request = response = upstream = requestHeaders = query = rest = null;
    held = false;
    current = new Context(generation);
    if (pumps.length > 0) pumps = [];
    if (taken[0] !== null || taken[1] !== null) taken = [null, null, null];
  }
  return current;
}

export function invoke(index, generation) {
  const f = functions[index];
  return f(enter(index, generation));
}

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

// Lets go of the current lease between two functions of a request, if all of it can be made again: true, or the values
// that ctx.set() got as JSON. False: it has to stay in this context.
export function rested(generation) {
  if (generation !== lease) return true;
  if (held || pumps.length > 0 || taken[0] !== null || taken[1] !== null || taken[2] !== null) return false;
  if (response !== null || upstream !== null || query !== null) return false;
  // Nor was anything added to the objects that the module has had.
  if (!bare(current, request, requestHeaders)) return false;
  const text = rest === null || !rest.isSet ? true : stringify(rest.values);
  lease = -1;
  current = request = requestHeaders = rest = null;
  return text;
}

// Values that rested() gave, in the context where the request goes on.
export function restore(generation, text) {
  enter(phase, generation);
  const values = parse(text);
  rest = makeRest();
  rest.isSet = true;
  const keys = ownKeys(values);
  for (let i = 0; i < keys.length; i++) rest.values[keys[i]] = values[keys[i]];
}

function makeRest() {
  return { __proto__: null, values: { __proto__: null }, isSet: false, params: null, described: [] };
}

export function invokeErrorHandler(generation, name, message, code) {
  const error = new Error(message);
  if (name !== "" && name !== "Error") error.name = name;
  if (code !== "") error.code = code;
  const f = functions[ERROR_HANDLER];
  return f(enter(ERROR_HANDLER, generation), error);
}

// A Response that a function returned; asked only where that class was ever loaded.
export function respond(generation, value) {
  from("tidegate:web/answer", "answer")(generation, value, bodies().writeStream);
}

// Bodies of the current lease that are being written, and those that were taken as streams, by their side.
export let pumps = [];
export let taken = [null, null, null];

export function pumping() {
  return pumps.length === 0 ? undefined : bodies().pumped(pumps);
}

// Replaces a body by data, or by a stream where that class was ever loaded.
export function writeBody(g, side, data) {
  if (typeof data === "object" && later.readable?.isReadable(data)) bodies().writeStream(g, side, data);
  else native.writeBody(g, side, bytes(data));
  taken[side] = null;
}

export function readBody(g, side) {
  if (taken[side] !== null) throw new TypeError("the body was taken as a stream: read it from there");
  return promised(native.readBody(g, side));
}

export function reset() {
  forget();
  pumps = [];
  taken = [null, null, null];
  lease = -1;
  current = request = response = upstream = requestHeaders = query = rest = null;
}

export class Headers {
  // The lease's number and the side: a handle, as the native side takes it.
  #h;
  constructor(h) {
    this.#h = h;
  }
  get(name) {
    return fieldGet(this.#h, name);
  }
  values(name) {
    if (name !== undefined) return fieldValues(this.#h >> 2, this.#h & 3, name);
    return this.entries().map((pair) => pair[1]);
  }
  has(name) {
    return fieldHas(this.#h, name);
  }
  set(name, value) {
    fieldSet(this.#h, name, value);
  }
  add(name, value) {
    fieldAdd(this.#h, name, value);
  }
  append(name, value) {
    fieldAdd(this.#h, name, value);
  }
  del(name) {
    fieldRemove(this.#h, name);
  }
  delete(name) {
    return fieldRemove(this.#h, name);
  }
  entries() {
    const flat = fields(this.#h >> 2, this.#h & 3);
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
    return parts().grouped(fields(this.#h >> 2, this.#h & 3));
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
  #g;
  constructor(g) {
    this.#g = g;
  }
  get method() { return part(this.#g << 2, METHOD); }
  set method(value) { setPart(this.#g, METHOD, value); }
  get path() { return part(this.#g << 2, PATH); }
  set path(value) { setPart(this.#g, PATH, value); }
  get host() { return part(this.#g << 2, HOST); }
  set host(value) { setPart(this.#g, HOST, value); }
  get remoteAddress() { return part(this.#g << 2, REMOTE); }
  get proto() { return part(this.#g << 2, PROTOCOL); }
  get headers() {
    ours(this.#g);
    return (requestHeaders ??= new Headers(this.#g << 2 | REQUEST));
  }
  get query() {
    ours(this.#g);
    return (query ??= parts().query(this.#g));
  }
  get contentLength() { return native.contentLength(this.#g, REQUEST); }
  get body() { return bodies().takeBody(this.#g, REQUEST); }
  async readBody() { return readBody(this.#g, REQUEST); }
  async readJson() { return readJson(this.#g, REQUEST); }
  async readText() { return native.utf8Decode(await this.readBody(), false, false); }
  writeBody(data) { writeBody(this.#g, REQUEST, data); }
  writeJson(value) {
    writeBody(this.#g, REQUEST, jsonText(value));
    fieldSet(this.#g << 2 | REQUEST, "Content-Type", "application/json");
  }
  // A web Request of what goes upstream; its body is the stream of this one's.
  toRequest() { return bodies().toRequest(this.#g, this); }
  toJSON() {
    const { method, path, headers, query, host, remoteAddress, proto, contentLength } = this;
    return { method, path, headers, query, host, remoteAddress, proto, contentLength };
  }
}

class Context {
  #g;
  constructor(g) {
    this.#g = g;
  }
  // What few requests need: the module's own values, parameters, descriptions.
  #rest() {
    ours(this.#g);
    return (rest ??= makeRest());
  }
  get id() { return native.id(this.#g); }
  // Modules of one route have contexts of their own: what one keeps for another crosses as JSON.
  set(key, value) {
    const known = this.#rest();
    known.values[key] = value;
    known.isSet = true;
    if (!isPlain(value) || typeof key === "symbol") held = true;
    if (native.isChained(this.#g)) {
      const text = stringify(value);
      if (text !== undefined) native.share(this.#g, key, text);
    }
  }
  get(key) {
    const own = this.#rest().values;
    if (native.isChained(this.#g)) {
      const text = native.shared(this.#g, key);
      if (text !== undefined) return parse(text);
    }
    return own[key];
  }
  query() { return this.request().query; }
  // One object for the whole request, which the module may change.
  pathParams() {
    held = true;
    return this.#params();
  }
  #params() {
    const known = this.#rest();
    if (known.params === null) {
      const flat = native.params(this.#g);
      known.params = { __proto__: null };
      for (let i = 0; i < flat.length; i += 2) known.params[flat[i]] = flat[i + 1];
    }
    return known.params;
  }
  pathParam(key) { return this.#params()[key] ?? ""; }
  #describe(what) {
    held = true;
    const known = this.#rest().described;
    return (known[what] ??= native.describe(this.#g, what));
  }
  route() { return this.#describe(0); }
  service() { return this.#describe(1); }
  namespace() { return this.#describe(2); }
  request() {
    ours(this.#g);
    return (request ??= new Request(this.#g));
  }
  upstream() {
    ours(this.#g);
    return phase === RESPONSE_MODIFIER ? (upstream ??= new (from("tidegate:upstream", "Upstream"))(this.#g, this)) : null;
  }
  response() {
    ours(this.#g);
    return (response ??= new (from("tidegate:response", "Response"))(this.#g));
  }
  toJSON() {
    const answer = this.upstream();
    return { id: this.id, pathParams: this.pathParams(), request: this.request(), ...(answer ? { upstream: answer } : {}) };
  }
}

admit(Context, Request, Headers);
