// Nothing that requests share can be written once the modules are evaluated: the global object, builtins and their
// prototypes, and what the gateway gives to modules. What one request leaves behind there, another would see.
import { native, lockWith } from "tidegate:native";

const { ownKeys, getPrototypeOf, getOwnPropertyDescriptor, defineProperty } = Reflect;
const { freeze } = Object;

function refused(key) {
  throw new TypeError(`'${String(key)}' is shared by all requests of this module: it can only be set by top-level code`);
}

// Inherited properties that objects of the module's own may still have under the same name by assignment, which a
// property that cannot be written would forbid (the language calls that the override mistake).
function yielding(holders, key, value) {
  const accessor = {
    get() { return value; },
    set(own) {
      for (let i = 0; i < holders.length; i++) if (this === holders[i]) refused(key);
      defineProperty(this, key, { value: own, writable: true, enumerable: true, configurable: true });
    },
    enumerable: false,
    configurable: false,
  };
  for (let i = 0; i < holders.length; i++) defineProperty(holders[i], key, accessor);
}

// A value with its prototype object, and nothing below: walking all of it would cost more than the rest of a context.
function lockOne(value) {
  if (typeof value !== "object" && typeof value !== "function") return;
  if (value === null) return;
  freeze(value);
  const found = getOwnPropertyDescriptor(value, "prototype");
  if (found !== undefined && typeof found.value === "object" && found.value !== null) freeze(found.value);
}

function yieldAll(holder, keys) {
  for (let i = 0; i < keys.length; i++) {
    const found = getOwnPropertyDescriptor(holder, keys[i]);
    if (found !== undefined && "value" in found && found.configurable) yielding([holder], keys[i], found.value);
  }
}

export function lock() {
  native.locked();
  yieldAll(Object.prototype, [
    "constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
  ]);
  yieldAll(Function.prototype, ["toString", "constructor"]);
  yieldAll(Array.prototype, ["toString"]);
  const errors = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError];
  const prototypes = [];
  for (let i = 0; i < errors.length; i++) {
    prototypes[i] = errors[i].prototype;
    yieldAll(prototypes[i], ["name"]);
  }
  yielding(prototypes, "message", "");
  yieldAll(Error.prototype, ["toString", "constructor"]);
  const roots = lockWith(lockOne);
  for (let i = 0; i < roots.length; i++) lockOne(roots[i]);
  const names = ownKeys(globalThis);
  for (let i = 0; i < names.length; i++) lockOne(getOwnPropertyDescriptor(globalThis, names[i]).value);
  freeze(globalThis);
  // Builtins that no global leads to.
  const hidden = [
    function* () {}, async function () {}, async function* () {}, Int8Array, [][Symbol.iterator](),
    new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""[Symbol.iterator](), "".matchAll(/x/g),
  ];
  for (let i = 0; i < hidden.length; i++) {
    const above = getPrototypeOf(hidden[i]);
    lockOne(above);
    lockOne(getPrototypeOf(above));
  }
}
