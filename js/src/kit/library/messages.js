// Requests and responses as tests write them, and as they get them back.
import { native } from "tidegate:native";
import { brief } from "tidegate:kit/show";

const { isArray } = Array;

export function bytesOf(data) {
  if (data === undefined || data === null) return new Uint8Array(0);
  if (typeof data === "string") return native.utf8Encode(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw new TypeError("a body is a string, bytes, something with a JSON form, or an array of pieces");
}

const isData = (value) => typeof value === "string" || value instanceof ArrayBuffer || ArrayBuffer.isView(value);

// An array of strings or bytes is a body in pieces; other arrays and objects are JSON.
function pieces(body, fields) {
  if (body === undefined || body === null) return [];
  if (isData(body)) return [bytesOf(body)];
  if (isArray(body) && body.length > 0 && body.every(isData)) return body.map(bytesOf);
  if (!fields.some(([name]) => name.toLowerCase() === "content-type")) fields.push(["content-type", "application/json"]);
  return [native.utf8Encode(JSON.stringify(body))];
}

// An object with texts or lists of texts, a list of pairs, or anything that can be walked as one.
function pairs(headers) {
  const all = [];
  if (headers === undefined || headers === null) return all;
  const list = typeof headers[Symbol.iterator] === "function" ? [...headers] : Object.entries(headers);
  for (const [name, value] of list) for (const one of isArray(value) ? value : [value]) all.push([String(name), String(one)]);
  return all;
}

const encode = (text) => encodeURIComponent(text).replaceAll("%20", "+");

function queryText(query) {
  if (query === undefined || query === null) return "";
  if (typeof query === "string") return query.replace(/^\?/, "");
  return pairs(query).map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
}

export function request(given = {}) {
  const parts = typeof given === "string" ? { path: given } : given;
  const [path, query] = (parts.path ?? "/").split("?");
  const fields = pairs(parts.headers);
  const body = pieces(parts.body, fields);
  const written = queryText(parts.query);
  return Object.freeze({
    method: parts.method ?? (body.length > 0 ? "POST" : "GET"),
    path,
    query: [query ?? "", written].filter((part) => part !== "").join("&"),
    host: parts.host ?? fields.find(([name]) => name.toLowerCase() === "host")?.[1] ?? "localhost",
    remoteAddress: parts.remoteAddress ?? "127.0.0.1",
    protocol: parts.protocol ?? "HTTP/1.1",
    scheme: parts.scheme ?? "http",
    fields,
    body,
    params: pairs(parts.pathParams).flat(),
    route: JSON.stringify({ name: "test", ...parts.route }),
    service: parts.service,
    namespace: JSON.stringify({ name: "default", ...parts.namespace }),
  });
}

export function upstreamResponse(given = {}) {
  const parts = isData(given) ? { body: given } : given;
  const fields = pairs(parts.headers);
  const body = pieces(parts.body, fields);
  return Object.freeze({ status: parts.status ?? 200, fields, body, trailers: pairs(parts.trailers) });
}

export const isBuilt = (value) => typeof value === "object" && value !== null && isArray(value.fields) && isArray(value.body);

// Whatever a test gives as a response: our own, one of the platform's, a text, or the parts of one.
export async function responseFrom(value) {
  if (isBuilt(value)) return value;
  if (typeof value === "object" && value !== null && typeof value.arrayBuffer === "function") {
    const body = new Uint8Array(await value.arrayBuffer());
    return { status: value.status, fields: pairs(value.headers), body: [body], trailers: [] };
  }
  return upstreamResponse(value);
}

export class ReceivedHeaders {
  #pairs;
  constructor(flat) {
    this.#pairs = [];
    for (let i = 0; i < flat.length; i += 2) this.#pairs.push([flat[i].toLowerCase(), flat[i + 1]]);
  }
  get(name) {
    const all = this.getAll(name);
    return all.length > 0 ? all.join(", ") : null;
  }
  getAll(name) {
    return this.#pairs.filter(([known]) => known === String(name).toLowerCase()).map(([, value]) => value);
  }
  has(name) { return this.getAll(name).length > 0; }
  entries() { return this.#pairs.map((pair) => [...pair]); }
  [Symbol.iterator]() { return this.entries()[Symbol.iterator](); }
  toJSON() {
    const object = {};
    for (const [name] of this.#pairs) object[name] = this.get(name);
    return object;
  }
}

class Received {
  #body;
  constructor(flat, body) {
    this.headers = new ReceivedHeaders(flat);
    this.#body = body;
  }
  get body() { return this.#body; }
  bytes() { return this.#body; }
  text() { return native.utf8Decode(this.#body, false, false); }
  json() {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      const why = this.failure === undefined ? "" : `; the module failed: ${this.failure}`;
      throw new SyntaxError(`the body is no JSON: ${brief(text)}${why}`, { cause: error });
    }
  }
}

// What a fakeFetch is asked, where the platform has no Request.
export class FetchedRequest extends Received {
  constructor(method, url, flat, body) {
    super(flat, body);
    Object.assign(this, { method, url });
  }
}

// What went upstream.
export class SentRequest extends Received {
  constructor(seen, url, body) {
    super(seen.fields, body);
    Object.assign(this, { method: seen.method, path: seen.path, query: seen.query, host: seen.host, url });
  }
  toJSON() {
    const { method, path, query, host, url, headers } = this;
    return { method, path, query, host, url, headers, body: this.text() };
  }
}

// What the client gets.
export class ReceivedResponse extends Received {
  constructor(status, flat, body, failure = undefined) {
    super(flat, body);
    this.status = status;
    Object.defineProperty(this, "failure", { value: failure });
  }
  get ok() { return this.status >= 200 && this.status < 300; }
  toJSON() {
    const { status, headers } = this;
    return { status, headers, body: this.text() };
  }
}
