// URL and URLSearchParams (URL standard, sections 6.1 and 6.2). The host parses; a URL is kept as its parts.
import { native, later, expose } from "tidegate:native";
import { publish } from "tidegate:streams/promises";

native.need("url");

const [HREF, PROTOCOL, USERNAME, PASSWORD, HOST, HOSTNAME, PORT, PATHNAME, SEARCH, HASH, ORIGIN] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

// Strings of these interfaces have no halves of surrogate pairs.
const text = (value) => `${value}`.toWellFormed();

function need(count, given, what) {
  if (given < count) throw new TypeError(`${what} needs ${count} argument${count > 1 ? "s" : ""}, ${given} given`);
}

function encoded(flat) {
  return native.queryEncode(flat).replaceAll("~", "%7E");
}

let attach;
let refill;

export class URLSearchParams {
  #flat = [];
  // Told after every change; only that of a URL's own parameters is.
  #changed = null;

  static {
    attach = (params, query, changed) => {
      params.#flat = native.queryParse(query);
      params.#changed = changed;
    };
    refill = (params, query) => {
      params.#flat = native.queryParse(query);
    };
  }

  constructor(init = "") {
    if (init !== null && (typeof init === "object" || typeof init === "function")) this.#take(init);
    else this.#flat = native.queryParse(text(init).replace(/^\?/, ""));
  }
  #take(init) {
    const iterator = init[Symbol.iterator];
    if (iterator !== undefined && iterator !== null) {
      if (typeof iterator !== "function") throw new TypeError("URLSearchParams: this cannot be iterated");
      for (const pair of init) {
        if (pair === null || typeof pair !== "object" || typeof pair[Symbol.iterator] !== "function") {
          throw new TypeError("URLSearchParams: every item must be a pair of a name and a value");
        }
        const both = [...pair];
        if (both.length !== 2) throw new TypeError("URLSearchParams: every item must be a pair of a name and a value");
        this.#flat.push(text(both[0]), text(both[1]));
      }
      return;
    }
    const known = new Map();
    for (const key of Reflect.ownKeys(init)) {
      if (!Reflect.getOwnPropertyDescriptor(init, key)?.enumerable) continue;
      if (typeof key === "symbol") throw new TypeError("URLSearchParams: a symbol is no name");
      known.set(text(key), text(init[key]));
    }
    for (const [key, value] of known) this.#flat.push(key, value);
  }
  #update() {
    if (this.#changed !== null) this.#changed(encoded(this.#flat));
  }
  get size() { return this.#flat.length / 2; }
  append(name, value) {
    need(2, arguments.length, "append()");
    this.#flat.push(text(name), text(value));
    this.#update();
  }
  delete(name, value = undefined) {
    need(1, arguments.length, "delete()");
    const [wanted, only] = [text(name), value === undefined ? undefined : text(value)];
    const old = this.#flat;
    const flat = [];
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] !== wanted || (only !== undefined && old[i + 1] !== only)) flat.push(old[i], old[i + 1]);
    }
    this.#flat = flat;
    this.#update();
  }
  get(name) {
    need(1, arguments.length, "get()");
    const wanted = text(name);
    for (let i = 0; i < this.#flat.length; i += 2) if (this.#flat[i] === wanted) return this.#flat[i + 1];
    return null;
  }
  getAll(name) {
    need(1, arguments.length, "getAll()");
    const wanted = text(name);
    const found = [];
    for (let i = 0; i < this.#flat.length; i += 2) if (this.#flat[i] === wanted) found.push(this.#flat[i + 1]);
    return found;
  }
  has(name, value = undefined) {
    need(1, arguments.length, "has()");
    const [wanted, only] = [text(name), value === undefined ? undefined : text(value)];
    for (let i = 0; i < this.#flat.length; i += 2) {
      if (this.#flat[i] === wanted && (only === undefined || this.#flat[i + 1] === only)) return true;
    }
    return false;
  }
  set(name, value) {
    need(2, arguments.length, "set()");
    const [wanted, content] = [text(name), text(value)];
    const old = this.#flat;
    const flat = [];
    let done = false;
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] !== wanted) flat.push(old[i], old[i + 1]);
      else if (!done) {
        flat.push(wanted, content);
        done = true;
      }
    }
    if (!done) flat.push(wanted, content);
    this.#flat = flat;
    this.#update();
  }
  sort() {
    const pairs = [];
    for (let i = 0; i < this.#flat.length; i += 2) pairs.push([this.#flat[i], this.#flat[i + 1]]);
    // By code units, and names that are the same stay in their order.
    pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#flat = [];
    for (const [name, value] of pairs) this.#flat.push(name, value);
    this.#update();
  }
  forEach(each, self = undefined) {
    if (typeof each !== "function") throw new TypeError("forEach() needs a function");
    for (let i = 0; i < this.#flat.length; i += 2) each.call(self, this.#flat[i + 1], this.#flat[i], this);
  }
  // Live: what is added while one walks is seen.
  *entries() { for (let i = 0; i < this.#flat.length; i += 2) yield [this.#flat[i], this.#flat[i + 1]]; }
  *keys() { for (let i = 0; i < this.#flat.length; i += 2) yield this.#flat[i]; }
  *values() { for (let i = 0; i < this.#flat.length; i += 2) yield this.#flat[i + 1]; }
  toString() { return encoded(this.#flat); }
  static {
    const proto = this.prototype;
    Object.defineProperty(proto, Symbol.iterator, { value: proto.entries, writable: true, configurable: true });
  }
}

export class URL {
  #parts;
  #params = null;
  constructor(url, base = undefined) {
    need(1, arguments.length, "URL()");
    this.#parts = native.urlParse(text(url), base === undefined ? undefined : text(base));
    if (this.#parts === undefined) throw new TypeError(`Invalid URL: '${url}'`);
  }
  static canParse(url, base = undefined) {
    need(1, arguments.length, "canParse()");
    return native.urlParse(text(url), base === undefined ? undefined : text(base)) !== undefined;
  }
  static parse(url, base = undefined) {
    need(1, arguments.length, "parse()");
    return URL.canParse(url, base) ? new URL(url, base) : null;
  }
  #set(which, value) {
    this.#parts = native.urlSet(this.#parts[HREF], which, text(value)) ?? this.#parts;
  }
  get href() { return this.#parts[HREF]; }
  set href(value) {
    const parts = native.urlParse(text(value), undefined);
    if (parts === undefined) throw new TypeError(`Invalid URL: '${value}'`);
    this.#parts = parts;
    if (this.#params !== null) refill(this.#params, this.#parts[SEARCH].slice(1));
  }
  get origin() { return this.#parts[ORIGIN]; }
  get protocol() { return this.#parts[PROTOCOL]; }
  set protocol(value) { this.#set(PROTOCOL, value); }
  get username() { return this.#parts[USERNAME]; }
  set username(value) { this.#set(USERNAME, value); }
  get password() { return this.#parts[PASSWORD]; }
  set password(value) { this.#set(PASSWORD, value); }
  get host() { return this.#parts[HOST]; }
  set host(value) { this.#set(HOST, value); }
  get hostname() { return this.#parts[HOSTNAME]; }
  set hostname(value) { this.#set(HOSTNAME, value); }
  get port() { return this.#parts[PORT]; }
  set port(value) { this.#set(PORT, value); }
  get pathname() { return this.#parts[PATHNAME]; }
  set pathname(value) { this.#set(PATHNAME, value); }
  get search() { return this.#parts[SEARCH]; }
  set search(value) {
    this.#set(SEARCH, value);
    if (this.#params !== null) refill(this.#params, this.#parts[SEARCH].slice(1));
  }
  get searchParams() {
    if (this.#params === null) {
      this.#params = new URLSearchParams();
      attach(this.#params, this.#parts[SEARCH].slice(1), (query) => this.#set(SEARCH, query));
    }
    return this.#params;
  }
  get hash() { return this.#parts[HASH]; }
  set hash(value) { this.#set(HASH, value); }
  toString() { return this.#parts[HREF]; }
  toJSON() { return this.#parts[HREF]; }
}

publish(URL, "URL", 1);
publish(URLSearchParams, "URLSearchParams", 0);

later.URL = URL;
later.URLSearchParams = URLSearchParams;
expose({ URL, URLSearchParams });
