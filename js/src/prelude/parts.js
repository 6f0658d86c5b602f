// Parts of a request or a response that few calls ask for: the query, trailers, reason phrases, grouped fields.
import { admit, native, later } from "tidegate:native";

const { part, setPart } = native;
const QUERY = 2;

// Pairs in one flat array → names with all their values, in an object that inherits nothing.
function grouped(flat) {
  const object = { __proto__: null };
  for (let i = 0; i < flat.length; i += 2) (object[flat[i]] ??= []).push(flat[i + 1]);
  return object;
}

class Trailer {
  #g;
  constructor(g) {
    this.#g = g;
  }
  toJSON() {
    return grouped(native.trailers(this.#g));
  }
  values(name) {
    const wanted = String(name).toLowerCase();
    const found = [];
    const flat = native.trailers(this.#g);
    for (let i = 0; i < flat.length; i += 2) if (flat[i].toLowerCase() === wanted) found.push(flat[i + 1]);
    return found;
  }
  get(name) {
    return this.values(name)[0] ?? "";
  }
  has(name) {
    return this.values(name).length > 0;
  }
}

class Query {
  #g;
  #flat;
  constructor(g) {
    this.#g = g;
    this.#flat = native.queryParse(part(g << 2, QUERY));
  }
  #write(flat) {
    setPart(this.#g, QUERY, native.queryEncode(flat));
    this.#flat = flat;
  }
  #without(name) {
    const flat = [];
    const old = this.#flat;
    for (let i = 0; i < old.length; i += 2) if (old[i] !== name) flat.push(old[i], old[i + 1]);
    return flat;
  }
  get(name) {
    return this.values(name)[0] ?? "";
  }
  values(name) {
    const wanted = String(name);
    const found = [];
    for (let i = 0; i < this.#flat.length; i += 2) if (this.#flat[i] === wanted) found.push(this.#flat[i + 1]);
    return found;
  }
  getAll(name) {
    return this.values(name);
  }
  has(name) {
    return this.values(name).length > 0;
  }
  set(name, value) {
    const flat = this.#without(String(name));
    flat.push(String(name), String(value));
    this.#write(flat);
  }
  add(name, value) {
    this.#write([...this.#flat, String(name), String(value)]);
  }
  append(name, value) {
    this.add(name, value);
  }
  del(name) {
    this.#write(this.#without(String(name)));
  }
  delete(name) {
    this.del(name);
  }
  entries() {
    const pairs = [];
    for (let i = 0; i < this.#flat.length; i += 2) pairs.push([this.#flat[i], this.#flat[i + 1]]);
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
  encode() {
    return native.queryEncode(this.#flat);
  }
  toString() {
    return this.encode();
  }
  toJSON() {
    return grouped(this.#flat);
  }
}

// RFC 9110, section 15; the phrases of codes that are in use.
const PHRASES = {
  __proto__: null,
  200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content",
  205: "Reset Content", 206: "Partial Content", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Found",
  303: "See Other", 304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
  401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
  406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
  411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
  415: "Unsupported Media Type", 416: "Range Not Satisfiable", 417: "Expectation Failed", 421: "Misdirected Request",
  422: "Unprocessable Content", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
  431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 500: "Internal Server Error",
  501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

export function phrase(status) {
  return PHRASES[status] ?? "";
}

admit(Query, Trailer);
later.parts = { grouped, phrase, query: (g) => new Query(g), trailer: (g) => new Trailer(g) };
