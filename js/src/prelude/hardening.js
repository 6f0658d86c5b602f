// What modules must not have is taken away, and builtins that nothing could interrupt are wrapped. Evaluated in
// every context before anything of the user's.
import { native } from "tidegate:native";

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
