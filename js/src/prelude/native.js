// The table of native functions, taken away from where modules could find it, and the promises and callbacks that
// belong to host operations in flight. The host knows an operation by its number and calls settle() when it is
// done; a lease that ends forgets them all. Whatever is here is evaluated in every context: keep it small.
export const native = globalThis.__native;
delete globalThis.__native;
// A name that is missing must not be looked up where a module could have put a getter.
Object.setPrototypeOf(native, null);

const P = Promise;
const { keys } = Object;
const { isView } = ArrayBuffer;
let table = { __proto__: null };

export function promised(id) {
  return new P((resolve, reject) => {
    table[id] = { __proto__: null, resolve, reject };
  });
}

export function onSettled(id, resolve) {
  table[id] = { __proto__: null, resolve, reject: resolve };
}

export function cancel(id) {
  delete table[id];
  native.cancel(id);
}

export function settle(id, ok, value) {
  const waiting = table[id];
  if (waiting === undefined) return;
  delete table[id];
  if (ok) waiting.resolve(value);
  else waiting.reject(value);
}

export function reset() {
  table = { __proto__: null };
}

export function adopt(value) {
  return typeof value.then === "function" ? P.resolve(value) : value;
}

// What native functions take as data: a view of any kind becomes one over bytes.
export function bytes(data) {
  if (isView(data) && !(data instanceof Uint8Array)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  return data;
}

// A method of this name says what console shows of an object that has no members to show.
export const inspect = Symbol("inspect");

// What modules that are evaluated late offer to those that were evaluated before them.
export const later = { __proto__: null };

// later[name], after the module that puts it there was evaluated.
export function from(module, name) {
  if (!(name in later)) {
    native.load(module);
    if (!(name in later)) throw native.broken(module);
  }
  return later[name];
}

// Globals that came after everything was locked, and how such a value is locked.
const { vault } = native;
let lockOne = null;
let roots = [];

// Values that modules can reach and that no global leads to: they are locked with the rest.
export function admit(...values) {
  for (let i = 0; i < values.length; i++) {
    if (lockOne === null) roots[roots.length] = values[i];
    else lockOne(values[i]);
  }
}

export function lockWith(lock) {
  lockOne = lock;
  const admitted = roots;
  roots = [];
  return admitted;
}

// Makes exports of a late module the globals that they stand for, unless the user has put something else there.
export function expose(globals) {
  const names = keys(globals);
  if (lockOne !== null) {
    for (let i = 0; i < names.length; i++) {
      lockOne(globals[names[i]]);
      vault[names[i]] = globals[names[i]];
    }
    return;
  }
  for (let i = 0; i < names.length; i++) native.expose(names[i], globals[names[i]]);
}
