// Request and Response (Fetch standard, sections 5.3 and 5.4), as far as they mean something without a browser.
import { from, later, expose, native } from "tidegate:native";
import { Headers, guarded, received } from "tidegate:web/headers";
import { bodyOf, hostBody, asStream, isUsed, isUnusable, readers, split } from "tidegate:web/body";
import { URL } from "tidegate:url";
import { publish } from "tidegate:streams/promises";

const inside = Symbol();
const METHODS = { __proto__: null, DELETE: 1, GET: 1, HEAD: 1, OPTIONS: 1, POST: 1, PUT: 1 };
const signals = () => from("tidegate:abort", "abort");

function dictionary(init, what) {
  if (init === undefined || init === null) return { __proto__: null };
  if (typeof init !== "object" && typeof init !== "function") throw new TypeError(`the second argument of ${what} must be an object`);
  return init;
}

function methodOf(given) {
  const method = `${given}`;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`'${method}' is no valid method`);
  const upper = method.toUpperCase();
  if (upper === "CONNECT" || upper === "TRACE" || upper === "TRACK") throw new TypeError(`the method ${upper} is not allowed`);
  return upper in METHODS ? upper : method;
}

function oneOf(value, allowed, what) {
  const text = `${value}`;
  if (!allowed.includes(text)) throw new TypeError(`${what} must be one of ${allowed.join(", ")}`);
  return text;
}

function setType(headers, body) {
  if (body !== null && body.type !== null && !headers.has("content-type")) headers.set("content-type", body.type);
}

let requestParts;
let responseParts;

export class Request {
  #p;
  static {
    requestParts = (request) => request.#p;
  }
  constructor(input, init = undefined) {
    if (arguments.length === 0) throw new TypeError("Request needs a URL or a Request");
    const given = dictionary(init, "Request");
    const old = input !== null && typeof input === "object" && #p in input ? input.#p : null;
    const url = old === null ? new URL(input) : old.url;
    if (old === null && (url.username !== "" || url.password !== "")) throw new TypeError("a request's URL must have no user name and no password");
    const { method, headers, body, redirect, signal, duplex, ...rest } = {
      method: given.method, headers: given.headers, body: given.body, redirect: given.redirect, signal: given.signal,
      duplex: given.duplex, cache: given.cache, credentials: given.credentials, mode: given.mode,
      referrer: given.referrer, referrerPolicy: given.referrerPolicy, integrity: given.integrity, keepalive: given.keepalive,
    };
    if (signal !== undefined && signal !== null && !signals().isSignal(signal)) throw new TypeError("the signal of a request must be an AbortSignal");
    const p = {
      __proto__: null, url,
      method: method === undefined ? old?.method ?? "GET" : methodOf(method),
      redirect: redirect === undefined ? old?.redirect ?? "follow" : oneOf(redirect, ["follow", "error", "manual"], "redirect"),
      headers: guarded(headers ?? old?.headers, "request"),
      signal: signal === undefined ? old?.signal ?? null : signal,
      body: null, rest: { ...old?.rest },
    };
    for (const name in rest) if (rest[name] !== undefined) p.rest[name] = rest[name];
    const hasBody = body !== undefined && body !== null;
    if ((hasBody || (old !== null && old.body !== null && body === undefined)) && (p.method === "GET" || p.method === "HEAD")) {
      throw new TypeError(`a request with the method ${p.method} cannot have a body`);
    }
    if (hasBody) {
      p.body = bodyOf(body);
      if (p.body.stream !== null && duplex !== undefined && duplex !== "half") throw new TypeError("duplex must be half");
      setType(p.headers, p.body);
    } else if (old !== null && old.body !== null && body === undefined) {
      if (isUnusable(old.body)) throw new TypeError("the body of that request has been read already, or is locked");
      p.body = { ...old.body, __proto__: null };
      if (old.body.data === null) p.body.stream = asStream(old.body).pipeThrough(new (from("tidegate:streams/main", "transform").TransformStream)());
      old.body.used = true;
    }
    this.#p = p;
  }
  get method() { return this.#p.method; }
  get url() { return this.#p.url.href; }
  get headers() { return this.#p.headers; }
  get body() { return asStream(this.#p.body); }
  get bodyUsed() { return isUsed(this.#p.body); }
  get redirect() { return this.#p.redirect; }
  get signal() { return (this.#p.signal ??= new (from("tidegate:abort", "AbortController"))().signal); }
  get cache() { return this.#p.rest.cache ?? "default"; }
  get credentials() { return this.#p.rest.credentials ?? "same-origin"; }
  get mode() { return this.#p.rest.mode ?? "cors"; }
  get referrer() { return this.#p.rest.referrer ?? "about:client"; }
  get referrerPolicy() { return this.#p.rest.referrerPolicy ?? ""; }
  get integrity() { return this.#p.rest.integrity ?? ""; }
  get keepalive() { return Boolean(this.#p.rest.keepalive); }
  get destination() { return ""; }
  get duplex() { return "half"; }
  clone() {
    if (isUnusable(this.#p.body)) throw new TypeError("the body has been read already, or is locked to a reader");
    const copy = new Request(this.#p.url.href, { method: this.#p.method, headers: this.#p.headers, redirect: this.#p.redirect, signal: this.#p.signal });
    copy.#p.rest = this.#p.rest;
    copy.#p.body = split(this.#p.body);
    return copy;
  }
}

// A request of a client, whose body is taken when it is needed; null for none.
function clientRequest(url, method, flat, body) {
  const request = new Request(url, { method });
  const p = requestParts(request);
  for (let i = 0; i < flat.length; i += 2) {
    // What the client may send is more than what may be written here.
    try {
      p.headers.append(flat[i], flat[i + 1]);
    } catch {}
  }
  p.body = body;
  return request;
}

// Statuses of responses that have no body.
const BODILESS = { __proto__: null, 101: 1, 103: 1, 204: 1, 205: 1, 304: 1 };

function newParts(status, statusText, headers, body) {
  return { __proto__: null, status, statusText, headers, body, type: "default", url: "", redirected: false };
}

export class Response {
  #p;
  static {
    responseParts = (value) => (value !== null && typeof value === "object" && #p in value ? value.#p : null);
  }
  constructor(body = null, init = undefined) {
    if (body === inside) {
      this.#p = init;
      return;
    }
    const given = dictionary(init, "Response");
    const status = given.status === undefined ? 200 : Number(given.status);
    if (!(status >= 200 && status <= 599) || status % 1 !== 0) throw new RangeError("a response's status must be a whole number from 200 to 599");
    const statusText = given.statusText === undefined ? "" : `${given.statusText}`;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(statusText)) throw new TypeError("the statusText has characters that a response cannot carry");
    const headers = guarded(given.headers, "response");
    const made = bodyOf(body);
    if (made !== null) {
      if (status in BODILESS) throw new TypeError(`a response with the status ${status} cannot have a body`);
      setType(headers, made);
    }
    this.#p = newParts(status, statusText, headers, made);
  }
  static error() {
    return new Response(inside, { ...newParts(0, "", received([], "immutable"), null), type: "error" });
  }
  static json(data, init = undefined) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("this value has no JSON form");
    const response = new Response(text, init);
    const given = init?.headers === undefined ? undefined : new Headers(init.headers);
    if (given === undefined || !given.has("content-type")) response.#p.headers.set("content-type", "application/json");
    return response;
  }
  static redirect(url, status = 302) {
    const target = new URL(url);
    const code = Number(status);
    if (![301, 302, 303, 307, 308].includes(code)) throw new RangeError("the status of a redirect must be 301, 302, 303, 307 or 308");
    return new Response(inside, newParts(code, "", received(["location", target.href], "immutable"), null));
  }
  get type() { return this.#p.type; }
  get url() { return this.#p.url; }
  get redirected() { return this.#p.redirected; }
  get status() { return this.#p.status; }
  get ok() { return this.#p.status >= 200 && this.#p.status <= 299; }
  get statusText() { return this.#p.statusText; }
  get headers() { return this.#p.headers; }
  get body() { return asStream(this.#p.body); }
  get bodyUsed() { return isUsed(this.#p.body); }
  clone() {
    const p = this.#p;
    if (isUnusable(p.body)) throw new TypeError("the body has been read already, or is locked to a reader");
    return new Response(inside, { ...p, __proto__: null, headers: guarded(p.headers, p.type === "default" ? "response" : "none"), body: split(p.body) });
  }
}

// A response that the host has received.
export function receivedResponse([status, statusText, flat, stream], url, redirected) {
  const body = status in BODILESS ? null : hostBody(stream);
  if (body === null) native.streamCancel(stream);
  const parts = { ...newParts(status, statusText, received(flat, "immutable"), body), __proto__: null, type: "basic", url, redirected };
  return { response: new Response(inside, parts), body };
}

for (const [Kind, parts] of [[Request, requestParts], [Response, responseParts]]) {
  const methods = readers((message) => {
    const p = parts(message);
    if (p === null) throw new TypeError("this is no Request and no Response");
    return { body: p.body, type: p.headers.get("content-type") };
  });
  for (const name of Object.keys(methods)) {
    Object.defineProperty(Kind.prototype, name, { value: methods[name], writable: true, configurable: true });
  }
  publish(Kind, Kind.name, Kind === Request ? 1 : 0);
}
for (const name of ["error", "json", "redirect"]) Object.defineProperty(Response, name, { enumerable: true });

native.responses();
later.messages = { clientRequest };

export { requestParts, responseParts };
expose({ Request, Response });
