// structuredClone (HTML, section 2.7), for what modules have: no transfer of ports, and buffers are copied where
// they are listed for transfer, because nothing here can detach one.
import { from, later, expose } from "tidegate:native";

const { defineProperty } = Reflect;
const errors = { __proto__: null, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const boxes = [Boolean, Number, String, BigInt];

function refusal(value) {
  const DOMException = from("tidegate:exception", "DOMException");
  const what = typeof value === "function" ? "a function" : typeof value === "symbol" ? "a symbol" : "this value";
  return new DOMException(`structuredClone: ${what} cannot be cloned`, "DataCloneError");
}

function put(copy, key, value) {
  defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
}

// By the kind of object that it is, whatever its prototype says.
function tag(value) {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function boxed(value) {
  for (const Box of boxes) {
    if (!(value instanceof Box)) continue;
    try {
      return Object(Box.prototype.valueOf.call(value));
    } catch {}
  }
  return undefined;
}

function cloneError(value, clone) {
  const Kind = (typeof value.name === "string" && errors[value.name]) || Error;
  const copy = new Kind();
  for (const key of ["message", "stack", "cause"]) {
    const own = Object.getOwnPropertyDescriptor(value, key);
    if (own === undefined || !("value" in own)) continue;
    const content = key === "cause" ? clone(own.value) : String(own.value);
    defineProperty(copy, key, { value: content, writable: true, enumerable: false, configurable: true });
  }
  return copy;
}

function cloned(value, known) {
  if (typeof value === "function" || typeof value === "symbol") throw refusal(value);
  if (typeof value !== "object" || value === null) return value;
  if (known.has(value)) return known.get(value);
  const clone = (part) => cloned(part, known);
  const keep = (copy) => {
    known.set(value, copy);
    return copy;
  };
  if (Array.isArray(value)) {
    const copy = keep(new Array(value.length));
    for (const key of Object.keys(value)) put(copy, key, clone(value[key]));
    return copy;
  }
  if (value instanceof Date) return keep(new Date(Date.prototype.getTime.call(value)));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [k, v] of [...value]) copy.set(clone(k), clone(v));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const v of [...value]) copy.add(clone(v));
    return copy;
  }
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (value instanceof DataView) return keep(new DataView(clone(value.buffer), value.byteOffset, value.byteLength));
  if (ArrayBuffer.isView(value)) {
    const Kind = globalThis[value[Symbol.toStringTag]];
    return keep(new Kind(clone(value.buffer), value.byteOffset, value.length));
  }
  const box = boxed(value);
  if (box !== undefined) return keep(box);
  const key = later.cloneKey?.(value);
  if (key !== undefined) return keep(key);
  if (tag(value) === "DOMException") {
    const DOMException = from("tidegate:exception", "DOMException");
    if (value instanceof DOMException) return keep(new DOMException(value.message, value.name));
  }
  // A class that was never loaded has no objects.
  if (later.blobs !== undefined && value instanceof later.blobs.Blob) return keep(later.blobs.copy(value));
  if (value instanceof Error) return keep(cloneError(value, clone));
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || !plain(value)) throw refusal(value);
  const copy = keep({});
  for (const key of Object.keys(value)) put(copy, key, clone(value[key]));
  return copy;
}

// Objects of the platform's classes have no data that could be copied.
function plain(value) {
  const kind = tag(value);
  return kind === "Object" || kind === "Arguments" || Object.hasOwn(value, Symbol.toStringTag) || !(kind in globalThis);
}

export function structuredClone(value, options = undefined) {
  if (arguments.length === 0) throw new TypeError("structuredClone needs a value");
  for (const moved of options?.transfer ?? []) if (!(moved instanceof ArrayBuffer)) throw refusal(moved);
  return cloned(value, new Map());
}

expose({ structuredClone });
