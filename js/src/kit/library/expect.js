// expect(value) and its matchers. What fails is thrown where the matcher was called, so that the trace leads there, also
// when the value was awaited first.
import { native } from "tidegate:native";
import { equal, includes, picked } from "tidegate:kit/equal";
import { show, brief } from "tidegate:kit/show";

native.need("kit");

class AssertionError extends Error {
  get name() { return "AssertionError"; }
}

function differs(message, expected, actual) {
  return { message, expected: show(expected), actual: show(actual) };
}

function need(received, what, ok) {
  if (!ok) throw new TypeError(`this matcher needs ${what}, not ${brief(received)}`);
}

function thrownBy(received) {
  need(received, "a function: expect(() => …)", typeof received === "function");
  try {
    received();
  } catch (error) {
    return { error };
  }
  return null;
}

function isLike(error, wanted) {
  const message = error instanceof Error ? error.message : String(error?.message ?? error);
  if (wanted === undefined) return true;
  if (typeof wanted === "string") return message.includes(wanted);
  if (wanted instanceof RegExp) return wanted.test(message);
  if (typeof wanted === "function") return error instanceof wanted;
  if (wanted instanceof Error) return message === wanted.message;
  return includes(error, wanted);
}

function calls(received) {
  need(received, "a mock", typeof received === "function" && Array.isArray(received.calls));
  return received.calls;
}

function compare(name, ok) {
  return (received, than) => {
    need(received, "a number", typeof received === "number" || typeof received === "bigint");
    return { pass: ok(received, than), message: `expected ${brief(received)} to be ${name} ${brief(than)}` };
  };
}

// Each gives { pass, message } and, where a diff tells more, the two texts. `message` is that of a failure without `not`.
const matchers = {
  toBe: (received, expected) => ({
    pass: Object.is(received, expected),
    ...differs(`expected ${brief(received)} to be ${brief(expected)}`, expected, received),
  }),
  toEqual: (received, expected) => ({
    pass: equal(received, expected, false),
    ...differs(`expected ${brief(received)} to equal ${brief(expected)}`, expected, received),
  }),
  toStrictEqual: (received, expected) => ({
    pass: equal(received, expected, true),
    ...differs(`expected ${brief(received)} to strictly equal ${brief(expected)}`, expected, received),
  }),
  toMatchObject: (received, expected) => ({
    pass: includes(received, expected),
    ...differs(`expected ${brief(received)} to match ${brief(expected)}`, expected, picked(received, expected)),
  }),
  toMatch: (received, pattern) => {
    need(received, "a string", typeof received === "string");
    const pass = typeof pattern === "string" ? received.includes(pattern) : pattern.test(received);
    return { pass, message: `expected ${brief(received)} to match ${brief(pattern)}` };
  },
  toContain: (received, item) => {
    const isText = typeof received === "string";
    need(received, "a string or something that can be walked", isText || typeof received?.[Symbol.iterator] === "function");
    const pass = isText ? received.includes(item) : [...received].some((known) => Object.is(known, item));
    return { pass, message: `expected ${brief(received)} to contain ${brief(item)}` };
  },
  toContainEqual: (received, item) => ({
    pass: [...received].some((known) => equal(known, item, false)),
    message: `expected ${brief(received)} to contain ${brief(item)}`,
  }),
  toHaveLength: (received, length) => ({
    pass: received?.length === length,
    message: `expected ${brief(received)} to have the length ${length}, it has ${received?.length}`,
  }),
  toHaveProperty: (received, path, ...expected) => {
    const keys = Array.isArray(path) ? path : String(path).split(".");
    let [value, there] = [received, true];
    for (const key of keys) {
      there = value !== null && value !== undefined && key in Object(value);
      if (!there) break;
      value = value[key];
    }
    const pass = there && (expected.length === 0 || equal(value, expected[0], false));
    const more = there && expected.length > 0 ? differs("", expected[0], value) : {};
    return { pass, ...more, message: `expected ${brief(received)} to have the property ${brief(keys.join("."))}` };
  },
  toBeUndefined: (received) => ({ pass: received === undefined, message: `expected ${brief(received)} to be undefined` }),
  toBeDefined: (received) => ({ pass: received !== undefined, message: "expected a value, got undefined" }),
  toBeNull: (received) => ({ pass: received === null, message: `expected ${brief(received)} to be null` }),
  toBeTruthy: (received) => ({ pass: Boolean(received), message: `expected ${brief(received)} to be truthy` }),
  toBeFalsy: (received) => ({ pass: !received, message: `expected ${brief(received)} to be falsy` }),
  toBeNaN: (received) => ({ pass: Number.isNaN(received), message: `expected ${brief(received)} to be NaN` }),
  toBeInstanceOf: (received, Class) => ({
    pass: received instanceof Class,
    message: `expected ${brief(received)} to be an instance of ${Class.name}`,
  }),
  toBeGreaterThan: compare("greater than", (a, b) => a > b),
  toBeGreaterThanOrEqual: compare("at least", (a, b) => a >= b),
  toBeLessThan: compare("less than", (a, b) => a < b),
  toBeLessThanOrEqual: compare("at most", (a, b) => a <= b),
  toBeCloseTo: (received, expected, digits = 2) => ({
    pass: Math.abs(received - expected) < 10 ** -digits / 2,
    message: `expected ${brief(received)} to be close to ${brief(expected)}`,
  }),
  toThrow: (received, wanted) => {
    const thrown = thrownBy(received);
    if (thrown === null) return { pass: false, message: "expected the function to throw, it did not" };
    return { pass: isLike(thrown.error, wanted), message: `expected an error like ${brief(wanted)}, got ${brief(thrown.error)}` };
  },
  toHaveBeenCalled: (received) => ({ pass: calls(received).length > 0, message: "expected the mock to have been called" }),
  toHaveBeenCalledTimes: (received, times) => ({
    pass: calls(received).length === times,
    message: `expected ${times} calls of the mock, there were ${calls(received).length}`,
  }),
  toHaveBeenCalledWith: (received, ...values) => ({
    pass: calls(received).some((call) => equal(call, values, false)),
    ...differs("expected a call of the mock with these values", values, calls(received).at(-1)),
  }),
};

function judge(name, negated, received, values, site) {
  const { pass, message, expected, actual } = matchers[name](received, ...values);
  if (pass !== negated) return;
  const text = negated ? message.replace(/^expected (.*?) to /s, "expected $1 not to ") : message;
  site.message = negated && text === message ? `not: ${message}` : text;
  if (!negated && expected !== actual) Object.assign(site, { expected, actual });
  throw site;
}

const MODES = ["now", "resolves", "rejects"];

class Expectation {
  #received;
  #negated;
  #mode;
  constructor(received, negated, mode) {
    this.#received = received;
    this.#negated = negated;
    this.#mode = mode;
    for (const name of Object.keys(matchers)) {
      Object.defineProperty(this, name, { value: (...values) => this.#check(name, values) });
    }
  }
  get not() { return new Expectation(this.#received, !this.#negated, this.#mode); }
  get resolves() { return new Expectation(this.#received, this.#negated, MODES[1]); }
  get rejects() { return new Expectation(this.#received, this.#negated, MODES[2]); }
  #check(name, values) {
    // Made here: behind an await the caller would be gone from the trace.
    const site = new AssertionError("");
    if (this.#mode === "now") return judge(name, this.#negated, this.#received, values, site);
    return this.#later(name, values, site);
  }
  async #later(name, values, site) {
    const promise = typeof this.#received === "function" ? this.#received() : this.#received;
    let [settled, ok] = [undefined, true];
    try {
      settled = await promise;
    } catch (error) {
      [settled, ok] = [error, false];
    }
    if (ok !== (this.#mode === "resolves")) {
      site.message = ok ? `expected a rejection, it resolved with ${brief(settled)}` : `expected it to resolve, it was rejected with ${brief(settled)}`;
      throw site;
    }
    const received = name === "toThrow" ? () => { throw settled; } : settled;
    judge(name, this.#negated, received, values, site);
  }
}

export function expect(received) {
  return new Expectation(received, false, "now");
}

const matcher = (describe, matches) => ({ describe: () => describe, matches });
const boxes = { String: "string", Number: "number", Boolean: "boolean", BigInt: "bigint", Function: "function", Symbol: "symbol" };
expect.anything = () => matcher("<anything>", (value) => value !== undefined && value !== null);
expect.any = (Class) => matcher(`<any ${Class.name}>`, (value) => value instanceof Class || typeof value === boxes[Class.name]);
expect.stringContaining = (part) => matcher(`<a string with ${JSON.stringify(part)}>`, (value) => typeof value === "string" && value.includes(part));
expect.stringMatching = (pattern) => matcher(`<a string like ${pattern}>`, (value) => typeof value === "string" && new RegExp(pattern).test(value));
expect.objectContaining = (part) => matcher(`<an object with ${brief(part)}>`, (value) => includes(value, part));
expect.arrayContaining = (items) => matcher(`<an array with ${brief(items)}>`, (value) =>
  Array.isArray(value) && items.every((item) => value.some((known) => equal(known, item, false))));

// Traces of errors, as they were when they were first looked at: who awaited is known only then.
const traces = new WeakMap();

function traceOf(error) {
  let stack = traces.get(error);
  if (stack === undefined) {
    try {
      stack = native.kit.trace(String(error.stack ?? ""));
    } catch {
      stack = "";
    }
    traces.set(error, stack);
  }
  return stack;
}

// What the runner is told of something thrown.
export function failure(error) {
  if (!(error instanceof Error)) return { message: `thrown: ${brief(error)}`, stack: "" };
  const message = error instanceof AssertionError ? error.message : `${error.name}: ${error.message}`;
  const { expected, actual } = error instanceof AssertionError ? error : {};
  return { message, stack: traceOf(error), expected, actual };
}
