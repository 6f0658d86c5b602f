// Equality of values, deep. Loose: a property that is undefined is as good as none, and classes do not count. Strict: both do.
const { isArray } = Array;

export function equal(a, b, strict) {
  return same(a, b, strict, []);
}

function same(a, b, strict, seen) {
  if (isMatcher(b)) return b.matches(a);
  if (isMatcher(a)) return a.matches(b);
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  for (const [x, y] of seen) if (x === a && y === b) return true;
  const inside = [...seen, [a, b]];
  const inner = (x, y) => same(x, y, strict, inside);
  if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (isArray(a) !== isArray(b)) return false;
  if (isArray(a)) {
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) {
      if (strict && i in a !== i in b) return false;
      if (!inner(a[i], b[i])) return false;
    }
    return true;
  }
  if (a instanceof Date || b instanceof Date) {
    return a instanceof Date && b instanceof Date && Object.is(a.getTime(), b.getTime());
  }
  if (a instanceof RegExp || b instanceof RegExp) return a instanceof RegExp && b instanceof RegExp && String(a) === String(b);
  if (a instanceof Error || b instanceof Error) {
    return a instanceof Error && b instanceof Error && a.name === b.name && a.message === b.message;
  }
  if (a instanceof Map || b instanceof Map) {
    if (!(a instanceof Map && b instanceof Map) || a.size !== b.size) return false;
    for (const [key, value] of a) if (!b.has(key) || !inner(value, b.get(key))) return false;
    return true;
  }
  if (a instanceof Set || b instanceof Set) {
    if (!(a instanceof Set && b instanceof Set) || a.size !== b.size) return false;
    const rest = [...b];
    for (const item of a) {
      const at = rest.findIndex((other) => inner(item, other));
      if (at < 0) return false;
      rest.splice(at, 1);
    }
    return true;
  }
  if (isBytes(a) || isBytes(b)) return isBytes(a) && isBytes(b) && sameBytes(a, b, strict);
  return sameKeys(a, b, strict) && keysOf(a, strict).every((key) => inner(a[key], b[key]));
}

function isMatcher(value) {
  return typeof value === "object" && value !== null && typeof value.matches === "function" && typeof value.describe === "function";
}

function isBytes(value) {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function sameBytes(a, b, strict) {
  if (strict && a.constructor !== b.constructor) return false;
  const view = (v) => (v instanceof ArrayBuffer ? new Uint8Array(v) : new Uint8Array(v.buffer, v.byteOffset, v.byteLength));
  const [x, y] = [view(a), view(b)];
  return x.length === y.length && x.every((byte, i) => byte === y[i]);
}

function keysOf(value, strict) {
  const keys = Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
  return strict ? keys : keys.filter((key) => value[key] !== undefined);
}

function sameKeys(a, b, strict) {
  const [x, y] = [keysOf(a, strict), keysOf(b, strict)];
  return x.length === y.length && x.every((key) => y.includes(key));
}

// Whether everything that `part` says is true of `whole`.
export function includes(whole, part) {
  if (isMatcher(part)) return part.matches(whole);
  if (typeof part !== "object" || part === null) return Object.is(whole, part);
  if (typeof whole !== "object" || whole === null) return false;
  if (isArray(part)) return isArray(whole) && whole.length === part.length && part.every((item, i) => includes(whole[i], item));
  if (Object.getPrototypeOf(part) !== Object.prototype && Object.getPrototypeOf(part) !== null) return equal(whole, part, false);
  return Reflect.ownKeys(part).every((key) => key in whole && includes(whole[key], part[key]));
}

// What of `whole` is comparable with `part`, so that a diff shows nothing else.
export function picked(whole, part) {
  const objects = typeof whole === "object" && whole !== null && typeof part === "object" && part !== null;
  if (!objects || isMatcher(part) || isArray(whole) !== isArray(part)) return whole;
  if (isArray(whole)) return whole.map((item, i) => picked(item, part[i]));
  const some = {};
  for (const key of Reflect.ownKeys(part)) if (key in whole) some[key] = picked(whole[key], part[key]);
  return some;
}
