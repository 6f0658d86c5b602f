// Globals of the web platform that modules expect, and the removal of what they must not have.
import { native, cancel, onSettled } from "tidegate:native";
import { report } from "tidegate:console";

const { construct, apply, defineProperty, deleteProperty } = Reflect;

function define(name, value) {
  defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}

// Shared memory and buffers that change their size have been the engine's weak spot; nobody needs them here.
for (const name of ["SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry", "eval"]) {
  deleteProperty(globalThis, name);
}
const Buffer = ArrayBuffer;
for (const name of ["resize", "resizable", "maxByteLength", "transfer", "transferToFixedLength"]) {
  deleteProperty(Buffer.prototype, name);
}
function FixedArrayBuffer(length) {
  if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
  return construct(Buffer, [length], new.target);
}
replace("ArrayBuffer", Buffer, FixedArrayBuffer, 1);
defineProperty(FixedArrayBuffer, "isView", { value: Buffer.isView, writable: true, configurable: true });

// Time comes from the host, so that a call can be replayed.
const EngineDate = Date;
function HostDate(...parts) {
  if (new.target === undefined) return new EngineDate(native.now()).toString();
  return construct(EngineDate, parts.length === 0 ? [native.now()] : parts, new.target);
}
replace("Date", EngineDate, HostDate, 7);
for (const name of ["parse", "UTC"]) {
  defineProperty(HostDate, name, { value: EngineDate[name], writable: true, configurable: true });
}
defineProperty(HostDate, "now", { value: () => native.now(), writable: true, configurable: true });
Math.random = () => native.random();

function replace(name, original, replacement, length) {
  defineProperty(replacement, "name", { value: name, configurable: true });
  defineProperty(replacement, "length", { value: length, configurable: true });
  defineProperty(replacement, "prototype", { value: original.prototype, writable: false });
  defineProperty(original.prototype, "constructor", { value: replacement, writable: true, configurable: true });
  define(name, replacement);
}

// Builtins that nothing can interrupt: lengths without elements, long texts searched in long texts.
const [ARRAY, ARRAYS, TEXT] = [0, 1, 2];
function guard(on, kind, names) {
  for (const name of names) put(on, name, native.guard(on[name], kind));
}
function put(on, name, value) {
  defineProperty(value, "name", { value: name, configurable: true });
  defineProperty(on, name, { value, writable: true, configurable: true });
}
guard(Array.prototype, ARRAY, ["sort", "splice", "shift", "unshift", "slice", "reverse", "join", "toLocaleString", "copyWithin"]);
guard(Array.prototype, ARRAYS, ["concat"]);
guard(String.prototype, TEXT, ["indexOf", "lastIndexOf", "includes", "split", "replace", "replaceAll"]);

// These look into nested lengths; in JavaScript every step can be interrupted.
const { isArray } = Array;
function flatInto(target, source, depth) {
  for (let i = 0; i < source.length; i++) {
    if (!(i in source)) continue;
    const item = source[i];
    if (depth > 0 && isArray(item)) flatInto(target, item, depth - 1);
    else defineProperty(target, target.length, { value: item, writable: true, enumerable: true, configurable: true });
  }
  return target;
}
put(Array.prototype, "flat", { flat(depth = 1) { return flatInto([], this, Number(depth) || 0); } }.flat);
put(Array.prototype, "flatMap", {
  flatMap(each, self) {
    if (typeof each !== "function") throw new TypeError("flatMap needs a function");
    const mapped = [];
    for (let i = 0; i < this.length; i++) if (i in this) mapped[mapped.length] = apply(each, self, [this[i], i, this]);
    return flatInto([], mapped, 1);
  },
}.flatMap);
put(String, "raw", {
  raw({ raw }, ...values) {
    let text = "";
    for (let i = 0; i < raw.length; i++) text += raw[i] + (i + 1 < raw.length && i < values.length ? values[i] : "");
    return text;
  },
}.raw);

// Timers.
function run(callback, values) {
  try {
    apply(callback, undefined, values);
  } catch (error) {
    report("uncaught in a timer:", error);
  }
}

function checked(callback) {
  if (typeof callback !== "function") throw new TypeError("a timer needs a function");
  return callback;
}

const intervals = { __proto__: null };

define("setTimeout", function setTimeout(callback, ms = 0, ...values) {
  checked(callback);
  const id = native.sleep(ms, true);
  onSettled(id, () => run(callback, values));
  return id;
});

define("setInterval", function setInterval(callback, ms = 0, ...values) {
  checked(callback);
  const first = native.sleep(ms, true);
  const again = () => {
    const next = native.sleep(ms, true);
    intervals[first] = next;
    onSettled(next, tick);
  };
  const tick = () => {
    again();
    run(callback, values);
  };
  intervals[first] = first;
  onSettled(first, tick);
  return first;
});

function clear(id) {
  if (typeof id !== "number") return;
  const current = intervals[id] ?? id;
  delete intervals[id];
  cancel(current);
}
define("clearTimeout", function clearTimeout(id) { clear(id); });
define("clearInterval", function clearInterval(id) { clear(id); });

define("performance", { now: () => native.monotonic() });
define("atob", function atob(text) {
  if (arguments.length === 0) throw new TypeError("atob needs a text");
  return native.atob(text);
});
define("btoa", function btoa(text) {
  if (arguments.length === 0) throw new TypeError("btoa needs a text");
  return native.btoa(text);
});

// Text.
define("TextEncoder", class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return native.utf8Encode(text); }
  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const c of String(text)) {
      const bytes = native.utf8Encode(c);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += c.length;
    }
    return { read, written };
  }
});

define("TextDecoder", class TextDecoder {
  #fatal;
  #ignoreBOM;
  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) throw new RangeError(`unknown encoding '${label}'`);
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
  }
  get encoding() { return "utf-8"; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }
  decode(data, { stream = false } = {}) {
    if (stream) throw new TypeError("TextDecoder: stream is not supported");
    return data === undefined ? "" : native.utf8Decode(bytes(data), this.#fatal, this.#ignoreBOM);
  }
});

// What native functions take as data: a view of any kind becomes one over bytes.
export function bytes(data) {
  if (Buffer.isView(data) && !(data instanceof Uint8Array)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  return data;
}

// Cloning.
const cloneError = (value) => {
  const error = new Error(`structuredClone: ${typeof value === "function" ? "a function" : "this value"} cannot be cloned`);
  error.name = "DataCloneError";
  return error;
};

function clone(value, known) {
  if (typeof value === "function" || typeof value === "symbol") throw cloneError(value);
  if (typeof value !== "object" || value === null) return value;
  if (known.has(value)) return known.get(value);
  const keep = (copy) => {
    known.set(value, copy);
    return copy;
  };
  if (Array.isArray(value)) {
    const copy = keep(new Array(value.length));
    for (const key of Object.keys(value)) copy[key] = clone(value[key], known);
    return copy;
  }
  if (value instanceof EngineDate) return keep(new EngineDate(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [k, v] of value) copy.set(clone(k, known), clone(v, known));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const v of value) copy.add(clone(v, known));
    return copy;
  }
  if (value instanceof Buffer) return keep(value.slice(0));
  if (value instanceof DataView) {
    return keep(new DataView(clone(value.buffer, known), value.byteOffset, value.byteLength));
  }
  if (Buffer.isView(value)) {
    return keep(new value.constructor(clone(value.buffer, known), value.byteOffset, value.length));
  }
  if (value instanceof Error) {
    const copy = keep(new Error(value.message));
    copy.name = value.name;
    if ("cause" in value) copy.cause = clone(value.cause, known);
    return copy;
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) throw cloneError(value);
  const copy = keep({});
  for (const key of Object.keys(value)) {
    defineProperty(copy, key, { value: clone(value[key], known), writable: true, enumerable: true, configurable: true });
  }
  return copy;
}

define("structuredClone", function structuredClone(value) { return clone(value, new Map()); });
