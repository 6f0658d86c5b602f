// Promises as the streams use them: made and chained by the engine's own functions, whatever a module does to
// Promise later, and rejections that somebody else hears of are not reported.
import { later } from "tidegate:native";

const P = Promise;
const { apply } = Reflect;
const { then } = P.prototype;

export { apply };

export const upon = (promise, ok, fail) => apply(then, promise, [ok, fail]);

export const resolved = (value) => new P((resolve) => resolve(value));

export const rejected = (reason) => new P((_, reject) => reject(reason));

const nothing = () => {};

// Nobody need hear of its rejection.
export function silence(promise) {
  apply(then, promise, [undefined, nothing]);
  return promise;
}

export function deferred() {
  const made = { __proto__: null, promise: null, resolve: null, reject: null };
  made.promise = new P((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  return made;
}

export function settled(ok, value) {
  const made = deferred();
  if (ok) made.resolve(value);
  else {
    silence(made.promise);
    made.reject(value);
  }
  return made;
}

// Calls a function of the user's; what it throws is a rejection.
export function invoke(f, self, values) {
  try {
    return resolved(apply(f, self, values));
  } catch (error) {
    return rejected(error);
  }
}

export function all(promises) {
  return new P((resolve, reject) => {
    let left = promises.length;
    const values = [];
    if (left === 0) resolve(values);
    for (let i = 0; i < promises.length; i++) {
      upon(promises[i], (value) => {
        values[i] = value;
        if (--left === 0) resolve(values);
      }, reject);
    }
  });
}

// A dictionary's members are read in the order of their names; those that are there must be functions.
export function members(object, names, what) {
  const found = { __proto__: null };
  if (object === undefined || object === null) return found;
  if (typeof object !== "object" && typeof object !== "function") throw new TypeError(`${what} must be an object`);
  for (let i = 0; i < names.length; i++) {
    const value = object[names[i]];
    if (value !== undefined && typeof value !== "function") throw new TypeError(`${what}: ${names[i]} must be a function`);
    found[names[i]] = value;
  }
  return found;
}

// The strategy's members as { hwm, size }.
export function strategy(given, hwm) {
  if (given === undefined || given === null) return { __proto__: null, hwm, size: undefined };
  if (typeof given !== "object" && typeof given !== "function") throw new TypeError("the strategy must be an object");
  const mark = given.highWaterMark;
  const number = mark === undefined ? undefined : Number(mark);
  const { size } = given;
  if (size !== undefined && typeof size !== "function") throw new TypeError("the strategy's size must be a function");
  if (number !== undefined && !(number >= 0)) throw new RangeError("the strategy's highWaterMark must not be negative");
  return { __proto__: null, hwm: number ?? hwm, size, isGiven: mark !== undefined };
}

// A chunk's size by the strategy, checked.
export function sizeOf(size, chunk) {
  const n = size === undefined ? 1 : Number(size(chunk));
  if (!(n >= 0) || n === Infinity) throw new RangeError("the size of a chunk must be a finite number that is not negative");
  return n;
}

// A first-in-first-out list that gives up what was taken.
export class Queue {
  items = [];
  head = 0;
  get length() { return this.items.length - this.head; }
  push(item) { this.items[this.items.length] = item; }
  peek() { return this.items[this.head]; }
  shift() {
    const item = this.items[this.head];
    this.items[this.head++] = undefined;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head > 1024 && this.head * 2 > this.items.length) {
      const rest = [];
      for (let i = this.head; i < this.items.length; i++) rest[i - this.head] = this.items[i];
      this.items = rest;
      this.head = 0;
    }
    return item;
  }
}

// Methods of the platform's classes are enumerable (Web IDL, section 3.7). Their objects, and the prototypes of the
// iterators that some give, are shared by all requests.
export function publish(Kind, name, length = Kind.length) {
  const proto = Kind.prototype;
  for (const key of Object.getOwnPropertyNames(proto)) {
    if (key === "constructor") continue;
    Object.defineProperty(proto, key, { enumerable: true });
    const { value } = Object.getOwnPropertyDescriptor(proto, key);
    if (typeof value !== "function") continue;
    Object.freeze(value);
    if (value.prototype !== undefined) Object.freeze(value.prototype);
  }
  Object.defineProperty(proto, Symbol.toStringTag, { value: name, configurable: true });
  Object.defineProperty(Kind, "length", { value: length, configurable: true });
}

later.publish = publish;
