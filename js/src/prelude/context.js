// ctx and everything reached from it. Each lease gets fresh objects that carry its number; the native side refuses
// a number that is not the current one, so an object kept from an earlier request cannot see a later one.
import { admit, native, promised, settle, reset as forget, adopt, bytes, from, later } from "tidegate:native";
import "tidegate:hardening";

export { settle, adopt };

const { fieldGet, fieldSet, fieldAdd, fieldRemove, fieldHas, fieldValues, fields, part, setPart, status } = native;
const { stringify, parse } = JSON;
const REQUEST = 0;
const UPSTREAM = 1;
const RESPONSE = 2;
const METHOD = 0;
const PATH = 1;
const HOST = 3;
const REMOTE = 4;
const PROTOCOL = 5;
const QUERY = 2;
const SCHEME = 6;
const RESPONSE_MODIFIER = 2;
const ERROR_HANDLER = 4;

const functions = [];
let phase = 0;

// Objects of the current lease. They are kept here and not in fields of each other: fields cost more than all the
// rest. Whoever still holds an object of an earlier lease fails at ours().
let lease = -1;
let current = null;
let request = null;
let response = null;
let upstream = null;
let requestHeaders = null;
let query = null;
let rest = null;

function ours(g) {
  if (g !== lease) throw new Error("the request is over");
}

// What few requests need is evaluated when one does.
const parts = () => from("tidegate:parts", "parts");
const cookies = () => from("tidegate:cookies", "cookies");

export function bind(index, f, self) {
  functions[index] = self === undefined ? f : (ctx, error) => f.call(self, ctx, error);
}

function enter(index, generation) {
  phase = index;
  if (generation !== lease) {
    lease = generation;
    request = response = upstream = requestHeaders = query = rest = null;
    current = new Context(generation);
    if (pumps.length > 0) pumps = [];
    if (taken[0] !== null || taken[1] !== null) taken = [null, null, null];
  }
  return current;
}

export function invoke(index, generation) {
  return functions[index](enter(index, generation));
}

export function invokeErrorHandler(generation, name, message, code) {
  const error = new Error(message);
  if (name !== "" && name !== "Error") error.name = name;
  if (code !== "") error.code = code;
  return functions[ERROR_HANDLER](enter(ERROR_HANDLER, generation), error);
}

// A Response that a function returned; asked only where that class was ever loaded.
export function respond(generation, value) {
  from("tidegate:web/answer", "answer")(generation, value, writeStream);
}

// Bodies that are written piece by piece go on after the function that began them has returned.
let pumps = [];

export function pumping() {
  return pumps.length === 0 ? undefined : pumped();
}

async function pumped() {
  let failure;
  while (pumps.length > 0) {
    try {
      await pumps.shift();
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
}

function writeStream(g, side, stream) {
  const pump = from("tidegate:web/pump", "pumpStream");
  if (stream.locked) throw new TypeError("the stream of the body is locked to a reader");
  const pipe = native.pipeOpen();
  try {
    native.writeBodyPipe(g, side, pipe);
  } catch (error) {
    native.pipeFail(pipe, "the body was refused");
    throw error;
  }
  const pumped = pump(stream, pipe);
  pumped.catch(() => {});
  pumps.push(pumped);
}

// The streams that were taken of the bodies, by their side.
let taken = [null, null, null];

// Replaces a body by data, or by a stream where that class was ever loaded.
function writeBody(g, side, data) {
  if (typeof data === "object" && data !== null && later.readable?.isReadable(data)) writeStream(g, side, data);
  else native.writeBody(g, side, bytes(data));
  taken[side] = null;
}

function takeBody(g, side) {
  const { hostStream } = from("tidegate:web/body", "bodies");
  return (taken[side] ??= hostStream(native.bodyStream(g, side)));
}

function readBody(g, side) {
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

class Headers {
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

async function readJson(g, side) {
  const body = native.utf8Decode(await readBody(g, side), true, false);
  return parse(body);
}

function jsonText(value) {
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
  get body() { return takeBody(this.#g, REQUEST); }
  async readBody() { return readBody(this.#g, REQUEST); }
  async readJson() { return readJson(this.#g, REQUEST); }
  async readText() { return native.utf8Decode(await this.readBody(), false, false); }
  writeBody(data) { writeBody(this.#g, REQUEST, data); }
  writeJson(value) {
    writeBody(this.#g, REQUEST, jsonText(value));
    fieldSet(this.#g << 2 | REQUEST, "Content-Type", "application/json");
  }
  // A web Request of what goes upstream; its body is the stream of this one's.
  toRequest() {
    const { clientRequest } = from("tidegate:web/message", "messages");
    const { lateBody } = from("tidegate:web/body", "bodies");
    const g = this.#g;
    const { method } = this;
    const search = part(g << 2, QUERY);
    const url = `${part(g << 2, SCHEME)}://${this.host || "localhost"}${this.path}${search === "" ? "" : `?${search}`}`;
    const body = method === "GET" || method === "HEAD" ? null : lateBody(() => native.bodyStream(g, REQUEST));
    return clientRequest(url, method, fields(g, REQUEST), body);
  }
  toJSON() {
    const { method, path, headers, query, host, remoteAddress, proto, contentLength } = this;
    return { method, path, headers, query, host, remoteAddress, proto, contentLength };
  }
}

class Upstream {
  #g;
  #headers;
  #ctx;
  constructor(g, ctx) {
    this.#g = g;
    this.#ctx = ctx;
  }
  get headers() { return (this.#headers ??= new Headers(this.#g << 2 | UPSTREAM)); }
  get statusCode() { return status(this.#g << 2 | UPSTREAM); }
  set statusCode(code) { native.setStatus(this.#g, UPSTREAM, code); }
  get statusText() { return parts().phrase(this.statusCode); }
  get trailer() { return parts().trailer(this.#g); }
  get protocol() { return native.protocol(this.#g); }
  get contentLength() { return native.contentLength(this.#g, UPSTREAM); }
  get body() { return takeBody(this.#g, UPSTREAM); }
  async readBody() { return readBody(this.#g, UPSTREAM); }
  async readJson() { return readJson(this.#g, UPSTREAM); }
  async readText() { return native.utf8Decode(await this.readBody(), false, false); }
  writeBody(data) { writeBody(this.#g, UPSTREAM, data); }
  writeJson(value) {
    writeBody(this.#g, UPSTREAM, jsonText(value));
    fieldSet(this.#g << 2 | UPSTREAM, "Content-Type", "application/json");
  }
  status(code) {
    native.setStatus(this.#g, UPSTREAM, code);
    return this;
  }
  #redirect(url, code) {
    fieldSet(this.#g << 2 | UPSTREAM, "Location", url);
    native.setStatus(this.#g, UPSTREAM, code);
    native.writeBody(this.#g, UPSTREAM, "");
  }
  redirect(url) { this.#redirect(url, 307); }
  redirectPermanent(url) { this.#redirect(url, 301); }
  query() { return this.#ctx.request().query; }
  cookie() { return fieldValues(this.#g, UPSTREAM, "Set-Cookie").map(cookies().parseSetCookie); }
  toJSON() {
    const { headers, statusCode, statusText, trailer, protocol, contentLength } = this;
    return { headers, statusCode, statusText, trailer, protocol, contentLength };
  }
}

class Response {
  #g;
  #headers;
  locals = { __proto__: null };
  constructor(g) {
    this.#g = g;
  }
  #open() {
    if (native.ended(this.#g)) throw new Error("the response has been sent already: nothing can be written to it");
  }
  get headers() { return (this.#headers ??= new Headers(this.#g << 2 | RESPONSE)); }
  get headersSent() { return native.ended(this.#g); }
  get statusCode() { return status(this.#g << 2 | RESPONSE); }
  set statusCode(code) { this.status(code); }
  status(code) {
    this.#open();
    native.setStatus(this.#g, RESPONSE, code);
    return this;
  }
  #type(type) {
    if (!fieldHas(this.#g << 2 | RESPONSE, "Content-Type")) fieldSet(this.#g << 2 | RESPONSE, "Content-Type", type);
  }
  json(value) {
    const text = jsonText(value);
    this.#open();
    fieldSet(this.#g << 2 | RESPONSE, "Content-Type", "application/json");
    native.writeBody(this.#g, RESPONSE, text);
    native.endResponse(this.#g);
  }
  send(data) { this.end(data); }
  end(data) {
    this.#open();
    if (data !== undefined && data !== null) {
      const text = typeof data === "string";
      const stream = !text && later.readable?.isReadable(data);
      if (!text && !stream && !ArrayBuffer.isView(data) && !(data instanceof ArrayBuffer)) {
        throw new TypeError("the body must be a string, an ArrayBuffer, a typed array or a ReadableStream; for objects there is json()");
      }
      writeBody(this.#g, RESPONSE, data);
      if (!text) this.#type("application/octet-stream");
      else this.#type(/^\s*<(!doctype html|html|head|body)\b/i.test(data) ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
    }
    native.endResponse(this.#g);
  }
  #redirect(url, code) {
    this.#open();
    fieldSet(this.#g << 2 | RESPONSE, "Location", url);
    native.setStatus(this.#g, RESPONSE, code);
    native.endResponse(this.#g);
  }
  redirect(url, code = 307) { this.#redirect(url, code); }
  redirectPermanent(url) { this.#redirect(url, 301); }
  location(url) {
    this.#open();
    fieldSet(this.#g << 2 | RESPONSE, "Location", url);
    return this;
  }
  cookie(name, value, options) {
    this.#open();
    fieldAdd(this.#g << 2 | RESPONSE, "Set-Cookie", cookies().writeCookie(name, value, options));
    return this;
  }
  getCookies() { return cookies().parseCookies(fieldValues(this.#g, REQUEST, "Cookie")); }
  getCookie(name) { return this.getCookies().find((cookie) => cookie.name === name) ?? null; }
  toJSON() {
    const { headers, headersSent, locals, statusCode } = this;
    return { headers, headersSent, locals, statusCode };
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
    return (rest ??= { __proto__: null, values: { __proto__: null }, params: null, described: [] });
  }
  get id() { return native.id(this.#g); }
  // Modules of one route have contexts of their own: what one keeps for another crosses as JSON.
  set(key, value) {
    this.#rest().values[key] = value;
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
  pathParams() {
    const known = this.#rest();
    if (known.params === null) {
      const flat = native.params(this.#g);
      known.params = { __proto__: null };
      for (let i = 0; i < flat.length; i += 2) known.params[flat[i]] = flat[i + 1];
    }
    return known.params;
  }
  pathParam(key) { return this.pathParams()[key] ?? ""; }
  #describe(what) {
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
    return phase === RESPONSE_MODIFIER ? (upstream ??= new Upstream(this.#g, this)) : null;
  }
  response() {
    ours(this.#g);
    return (response ??= new Response(this.#g));
  }
  toJSON() {
    const answer = this.upstream();
    return { id: this.id, pathParams: this.pathParams(), request: this.request(), ...(answer ? { upstream: answer } : {}) };
  }
}

admit(Context, Request, Response, Upstream, Headers);
