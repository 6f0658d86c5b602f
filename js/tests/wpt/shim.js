// The part of the test suite's own harness that the chosen files use, for an engine without windows. It keeps the
// tests in a list; run() runs them one after another, within a request, as they may start timers, and gives their outcomes. A test that takes more than a few
// seconds of the host's clock, which only runs while somebody waits, has failed.
const TIMEOUT_MS = 3000;
const waiting = [];
const results = [];
const names = new Map();
const original = { fetch: globalThis.fetch, setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
// Where the file's own paths begin; set by whoever runs it.
export const suite = { base: "" };

class Failed extends Error {}

function unique(name) {
  const count = names.get(name) ?? 0;
  names.set(name, count + 1);
  return count === 0 ? name : `${name} (${count + 1})`;
}

class Test {
  constructor(name) {
    this.name = unique(String(name ?? "untitled").toWellFormed());
    this.cleanups = [];
    this.phase = 0;
    this.ended = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.ended.catch(() => {});
  }
  step(f, self, ...values) {
    try {
      return f.apply(self ?? this, values);
    } catch (error) {
      this.reject(error);
    }
  }
  step_func(f, self) {
    return (...values) => this.step(f, self ?? this, ...values);
  }
  step_func_done(f, self) {
    return (...values) => {
      if (f !== undefined) this.step(f, self ?? this, ...values);
      this.done();
    };
  }
  step_timeout(f, ms, ...values) {
    return original.setTimeout(this.step_func(() => f.apply(this, values)), ms);
  }
  step_wait(condition, _, ms = 10) {
    return new Promise((resolve) => {
      const look = () => (condition() ? resolve() : original.setTimeout(look, ms));
      look();
    });
  }
  unreached_func(what) {
    return this.step_func(() => assert_unreached(what));
  }
  add_cleanup(f) {
    this.cleanups.push(f);
  }
  done() {
    this.phase = 3;
    this.resolve();
  }
}

async function finish(test, ended) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = original.setTimeout(() => reject(new Failed("it took too long")), TIMEOUT_MS);
  });
  let why = "";
  try {
    await Promise.race([ended, test.ended.then(() => new Promise(() => {})), late]);
  } catch (error) {
    try {
      why = String(error?.message ?? error) || "failed";
    } catch {
      why = "failed";
    }
  }
  original.clearTimeout(timer);
  for (const cleanup of test.cleanups) {
    try {
      await cleanup();
    } catch {}
  }
  results.push([test.name.toWellFormed(), why.toWellFormed()]);
}

// Reads a Blob for the suite's own checks of it.
class FileReader extends EventTarget {
  async #read(result) {
    this.result = await result;
    this.readyState = 2;
    for (const type of ["load", "loadend"]) {
      this[`on${type}`]?.(new Event(type));
      this.dispatchEvent(new Event(type));
    }
  }
  readAsText(blob) {
    this.#read(blob.text());
  }
  readAsArrayBuffer(blob) {
    this.#read(blob.arrayBuffer());
  }
}

const globals = {
  FileReader,
  self: globalThis,
  location: { search: "", href: "http://suite.test/", origin: "http://suite.test", pathname: "/" },
  GLOBAL: { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false },
  setup(f) {
    if (typeof f === "function") f();
  },
  done() {},
  test(f, name) {
    waiting.push(() => {
      const test = new Test(name);
      return finish(test, new Promise((resolve) => resolve(f.call(test, test))).then(() => undefined));
    });
  },
  generate_tests(f, list) {
    for (const [name, ...values] of list) globals.test(() => f(...values), name);
  },
  async_test(f, name) {
    const test = new Test(typeof f === "function" ? name : f);
    waiting.push(() => {
      if (typeof f === "function") test.step(f, test, test);
      return finish(test, test.ended);
    });
    return test;
  },
  promise_test(f, name) {
    waiting.push(() => {
      const test = new Test(name);
      return finish(test, (async () => f.call(test, test))());
    });
  },
  promise_setup(f) {
    waiting.push(() => f());
  },
  subsetTest: (run, ...values) => run(...values),
  subsetTestByKey: (_, run, ...values) => run(...values),
  shouldRunSubTest: () => true,
  step_timeout: (f, ms, ...values) => original.setTimeout(f, ms, ...values),
  fetch: (path, init) => original.fetch(new URL(path, suite.base), init),
  gc() {},
  // Files of the suite make these by assignment alone.
  structuredCloneBatteryOfTests: undefined,
  testObjMock: undefined,
};

function fail(text, what) {
  throw new Failed(what === undefined ? text : `${what}: ${text}`);
}

function shown(value, depth = 0) {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return depth > 1 ? "[…]" : `[${value.map((v) => shown(v, depth + 1)).join(", ")}]`;
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

function check(condition, text, what) {
  if (!condition) fail(text, what);
}

function named(kind, error) {
  return error !== null && typeof error === "object" && error.name === kind.name && error instanceof kind;
}

// Names of the exceptions that are meant by an old constant.
const LEGACY = { INVALID_CHARACTER_ERR: "InvalidCharacterError", DATA_CLONE_ERR: "DataCloneError", SYNTAX_ERR: "SyntaxError" };

const asserts = {
  assert_true: (a, what) => check(a === true, `expected true, got ${shown(a)}`, what),
  assert_false: (a, what) => check(a === false, `expected false, got ${shown(a)}`, what),
  assert_equals: (a, b, what) => check(Object.is(a, b), `expected ${shown(b)}, got ${shown(a)}`, what),
  assert_not_equals: (a, b, what) => check(!Object.is(a, b), `got ${shown(a)}`, what),
  assert_in_array: (a, list, what) => check(list.includes(a), `${shown(a)} is not in ${shown(list)}`, what),
  assert_array_equals(a, b, what) {
    check(a !== null && typeof a === "object" && "length" in a, "this is no array", what);
    check(a.length === b.length, `expected ${shown(b)}, got ${shown(a)}`, what);
    for (let i = 0; i < b.length; i++) check(Object.is(a[i], b[i]), `[${i}]: expected ${shown(b[i])}, got ${shown(a[i])}`, what);
  },
  assert_object_equals(a, b, what) {
    check(a !== null && typeof a === "object", "this is no object", what);
    for (const key of Object.keys(a)) check(Object.hasOwn(b, key), `unexpected property ${key}`, what);
    for (const key of Object.keys(b)) {
      if (b[key] !== null && typeof b[key] === "object") asserts.assert_object_equals(a[key], b[key], what);
      else check(Object.is(a[key], b[key]), `${key}: expected ${shown(b[key])}, got ${shown(a[key])}`, what);
    }
  },
  assert_approx_equals: (a, b, e, what) => check(Math.abs(a - b) <= e, `expected ${b} ± ${e}, got ${a}`, what),
  assert_less_than: (a, b, what) => check(a < b, `expected less than ${b}, got ${a}`, what),
  assert_greater_than: (a, b, what) => check(a > b, `expected more than ${b}, got ${a}`, what),
  assert_less_than_equal: (a, b, what) => check(a <= b, `expected at most ${b}, got ${a}`, what),
  assert_greater_than_equal: (a, b, what) => check(a >= b, `expected at least ${b}, got ${a}`, what),
  assert_regexp_match: (a, r, what) => check(r.test(a), `${shown(a)} does not match ${r}`, what),
  assert_class_string: (a, name, what) => asserts.assert_equals(Object.prototype.toString.call(a), `[object ${name}]`, what),
  assert_own_property: (a, name, what) => check(Object.hasOwn(a, name), `no own property ${String(name)}`, what),
  assert_not_own_property: (a, name, what) => check(!Object.hasOwn(a, name), `own property ${String(name)}`, what),
  assert_inherits: (a, name, what) => check(name in a && !Object.hasOwn(a, name), `${String(name)} is not inherited`, what),
  assert_idl_attribute: (a, name, what) => check(name in a, `no attribute ${String(name)}`, what),
  assert_readonly(a, name, what) {
    const before = a[name];
    try {
      a[name] = `${before}x`;
    } catch {}
    check(Object.is(a[name], before), `${String(name)} can be written`, what);
  },
  assert_unreached: (what) => fail("this must not be reached", what),
  assert_any: (assert, a, list, ...rest) =>
    check(list.some((b) => { try { assert(a, b, ...rest); return true; } catch { return false; } }), "none is right"),
  assert_implements: (a, what) => check(a, "not implemented", what),
  assert_implements_optional: (a, what) => check(a, "not implemented", what),
  assert_throws_js(kind, f, what) {
    try {
      f();
    } catch (error) {
      return check(named(kind, error), `threw ${shown(error)} and no ${kind.name}`, what);
    }
    fail("it did not throw", what);
  },
  assert_throws_exactly(thrown, f, what) {
    try {
      f();
    } catch (error) {
      return check(Object.is(error, thrown), `threw ${shown(error)}`, what);
    }
    fail("it did not throw", what);
  },
  assert_throws_dom(name, ...rest) {
    const [f, what] = typeof rest[1] === "function" ? rest.slice(1) : rest;
    try {
      f();
    } catch (error) {
      const right = error instanceof DOMException && error.name === (LEGACY[name] ?? name);
      return check(right, `threw ${shown(error)} and no ${name}`, what);
    }
    fail("it did not throw", what);
  },
  async promise_rejects_js(_, kind, promise, what) {
    return rejects(promise, (error) => check(named(kind, error), `rejected with ${shown(error)} and no ${kind.name}`, what), what);
  },
  async promise_rejects_exactly(_, reason, promise, what) {
    return rejects(promise, (error) => check(Object.is(error, reason), `rejected with ${shown(error)}`, what), what);
  },
  async promise_rejects_dom(_, name, ...rest) {
    const [promise, what] = typeof rest[0] === "function" ? rest.slice(1) : rest;
    return rejects(promise, (error) => check(error?.name === name, `rejected with ${shown(error)} and no ${name}`, what), what);
  },
  format_value: shown,
};

async function rejects(promise, look, what) {
  let error;
  try {
    await promise;
  } catch (e) {
    error = e;
    look(error);
    return;
  }
  fail("it did not reject", what);
}

for (const [name, value] of Object.entries({ ...globals, ...asserts })) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}
export async function run() {
  for (let i = 0; i < waiting.length; i++) await waiting[i]();
  return JSON.stringify(results);
}
