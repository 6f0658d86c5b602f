// URLPattern (URL Pattern standard). The host takes patterns apart; the expressions are run here.
import { native, expose } from "tidegate:native";
import { publish } from "tidegate:streams/promises";

native.need("url");

const NAMES = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];

// A dictionary as the host takes it: the eight parts and the base URL.
function dictionary(input) {
  const parts = [];
  for (const name of [...NAMES, "baseURL"]) {
    const value = input[name];
    parts.push(value === undefined ? undefined : `${value}`.toWellFormed());
  }
  return parts;
}

function given(input) {
  return input !== null && (typeof input === "object" || typeof input === "function")
    ? dictionary(input)
    : `${input}`.toWellFormed();
}

// What the host writes is of the older syntax; what a user wrote in it may need the newer one.
function expression(text, flags, name) {
  try {
    return new RegExp(text, `u${flags}`);
  } catch {}
  try {
    return new RegExp(text, `v${flags}`);
  } catch (cause) {
    throw new TypeError(`URLPattern: the ${name} is no valid pattern: ${cause.message}`, { cause });
  }
}

export class URLPattern {
  #patterns = { __proto__: null };
  #expressions = [];
  #groups = [];
  #hasRegExpGroups;
  constructor(input = {}, base = undefined, options = undefined) {
    if (base !== null && typeof base === "object" && options === undefined) [base, options] = [undefined, base];
    const from = base === undefined ? undefined : `${base}`.toWellFormed();
    const ignoreCase = Boolean(options?.ignoreCase);
    if (typeof input !== "string" && from !== undefined) throw new TypeError("URLPattern: a base URL goes with a text only");
    const parts = native.patternParse(given(input ?? {}), from, ignoreCase);
    this.#hasRegExpGroups = parts[0];
    for (let i = 0; i < NAMES.length; i++) {
      this.#patterns[NAMES[i]] = parts[1 + i * 3];
      this.#groups.push(parts[3 + i * 3]);
      this.#expressions.push(expression(parts[2 + i * 3], ignoreCase ? "i" : "", NAMES[i]));
    }
  }
  #parts(input, base) {
    const text = base === undefined ? undefined : `${base}`.toWellFormed();
    return native.patternInput(given(input), text);
  }
  test(input = {}, base = undefined) {
    const parts = this.#parts(input, base);
    return parts !== undefined && parts.every((part, i) => this.#expressions[i].exec(part) !== null);
  }
  exec(input = {}, base = undefined) {
    const parts = this.#parts(input, base);
    if (parts === undefined) return null;
    const result = { inputs: base === undefined ? [input] : [input, `${base}`] };
    for (let i = 0; i < NAMES.length; i++) {
      const found = this.#expressions[i].exec(parts[i]);
      if (found === null) return null;
      const groups = {};
      this.#groups[i].forEach((name, n) => {
        Object.defineProperty(groups, name, { value: found[n + 1], writable: true, enumerable: true, configurable: true });
      });
      result[NAMES[i]] = { input: parts[i], groups };
    }
    return result;
  }
  get protocol() { return this.#patterns.protocol; }
  get username() { return this.#patterns.username; }
  get password() { return this.#patterns.password; }
  get hostname() { return this.#patterns.hostname; }
  get port() { return this.#patterns.port; }
  get pathname() { return this.#patterns.pathname; }
  get search() { return this.#patterns.search; }
  get hash() { return this.#patterns.hash; }
  get hasRegExpGroups() { return this.#hasRegExpGroups; }
}

publish(URLPattern, "URLPattern", 0);
expose({ URLPattern });
