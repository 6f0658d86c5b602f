// Headers (Fetch standard, section 5.1). Names are kept as they were written; they compare without case. What may
// reach the wire is for the host to say as well.
import { expose, later } from "tidegate:native";
import { publish } from "tidegate:streams/promises";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

// A request's framing and its connection are the gateway's.
const FORBIDDEN = {
  __proto__: null, connection: 1, "content-length": 1, "transfer-encoding": 1, host: 1, upgrade: 1, te: 1, trailer: 1,
  "keep-alive": 1, expect: 1,
};

export function checkedName(name) {
  const text = `${name}`;
  if (!TOKEN.test(text)) throw new TypeError(`'${text}' is no valid name of a header`);
  return text;
}

export function checkedValue(value) {
  const text = `${value}`.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (/[\0\r\n]/.test(text)) throw new TypeError("a header's value must have no line break and no zero byte");
  if (/[^\0-\xff]/.test(text)) throw new TypeError("a header's value must have no character above U+00FF");
  return text;
}

let listOf;
let setGuard;

export class Headers {
  // [name, lower-case name, value] of every field, in order.
  #list = [];
  #guard = "none";
  static {
    listOf = (headers) => headers.#list;
    setGuard = (headers, guard) => {
      headers.#guard = guard;
      return headers;
    };
  }
  constructor(init = undefined) {
    if (init !== undefined) this.#fill(init);
  }
  #fill(init) {
    if (init === null || (typeof init !== "object" && typeof init !== "function")) throw new TypeError("Headers: this is no list of fields");
    if (#list in init && init[Symbol.iterator] === Headers.prototype.entries) {
      for (const [name, , value] of init.#list) this.append(name, value);
      return;
    }
    const iterator = init[Symbol.iterator];
    if (iterator !== undefined && iterator !== null) {
      for (const pair of init) {
        if (pair === null || typeof pair !== "object") throw new TypeError("Headers: every item must be a pair of a name and a value");
        const both = [...pair];
        if (both.length !== 2) throw new TypeError("Headers: every item must be a pair of a name and a value");
        this.append(both[0], both[1]);
      }
      return;
    }
    for (const key of Reflect.ownKeys(init)) {
      if (!Reflect.getOwnPropertyDescriptor(init, key)?.enumerable) continue;
      if (typeof key === "symbol") throw new TypeError("Headers: a symbol is no name");
      this.append(key, init[key]);
    }
  }
  // False where the field is left out without a word.
  #mayWrite(lower) {
    if (this.#guard === "immutable") throw new TypeError("these headers cannot be changed");
    return this.#guard !== "request" || !(lower in FORBIDDEN);
  }
  append(name, value) {
    const [field, content] = [checkedName(name), checkedValue(value)];
    const lower = field.toLowerCase();
    if (this.#mayWrite(lower)) this.#list.push([field, lower, content]);
  }
  delete(name) {
    const lower = checkedName(name).toLowerCase();
    if (this.#mayWrite(lower)) this.#list = this.#list.filter((field) => field[1] !== lower);
  }
  get(name) {
    const lower = checkedName(name).toLowerCase();
    let found = null;
    for (const field of this.#list) if (field[1] === lower) found = found === null ? field[2] : `${found}, ${field[2]}`;
    return found;
  }
  getSetCookie() {
    return this.#list.filter((field) => field[1] === "set-cookie").map((field) => field[2]);
  }
  has(name) {
    const lower = checkedName(name).toLowerCase();
    return this.#list.some((field) => field[1] === lower);
  }
  set(name, value) {
    const [field, content] = [checkedName(name), checkedValue(value)];
    const lower = field.toLowerCase();
    if (!this.#mayWrite(lower)) return;
    const at = this.#list.findIndex((known) => known[1] === lower);
    if (at < 0) {
      this.#list.push([field, lower, content]);
      return;
    }
    const list = this.#list.filter((known, i) => i <= at || known[1] !== lower);
    list[at] = [field, lower, content];
    this.#list = list;
  }
  // Sorted by name, joined; every Set-Cookie is by itself.
  #sorted() {
    const pairs = [];
    for (const name of [...new Set(this.#list.map((field) => field[1]))].sort()) {
      if (name === "set-cookie") for (const value of this.getSetCookie()) pairs.push([name, value]);
      else pairs.push([name, this.get(name)]);
    }
    return pairs;
  }
  forEach(each, self = undefined) {
    if (typeof each !== "function") throw new TypeError("forEach() needs a function");
    for (let i = 0; i < this.#sorted().length; i++) {
      const [name, value] = this.#sorted()[i];
      each.call(self, value, name, this);
    }
  }
  *entries() { for (let i = 0, pair; (pair = this.#sorted()[i]) !== undefined; i++) yield pair; }
  *keys() { for (let i = 0, pair; (pair = this.#sorted()[i]) !== undefined; i++) yield pair[0]; }
  *values() { for (let i = 0, pair; (pair = this.#sorted()[i]) !== undefined; i++) yield pair[1]; }
  toJSON() {
    const object = { __proto__: null };
    for (const [name, value] of this.#sorted()) object[name] = name in object ? [].concat(object[name], value) : value;
    return object;
  }
}

publish(Headers, "Headers", 0);
Object.defineProperty(Headers.prototype, "toJSON", { enumerable: false });
Object.defineProperty(Headers.prototype, Symbol.iterator, { value: Headers.prototype.entries, writable: true, configurable: true });

// Headers with a guard, filled.
export function guarded(init, guard) {
  const headers = setGuard(new Headers(), guard);
  if (init === undefined) return headers;
  const given = new Headers(init);
  for (const [name, , value] of listOf(given)) headers.append(name, value);
  return headers;
}

// From what the host gives: checked there, and never to be refused here.
export function received(flat, guard) {
  const headers = new Headers();
  const list = listOf(headers);
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i], flat[i].toLowerCase(), flat[i + 1]]);
  return setGuard(headers, guard);
}

// [name, value, …] for the host.
export function flatOf(headers) {
  const flat = [];
  for (const [name, , value] of listOf(headers)) flat.push(name, value);
  return flat;
}

later.flatOf = flatOf;
expose({ Headers });
