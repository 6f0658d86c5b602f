// The table of native functions, taken away from where modules could find it, and the promises and callbacks that
// belong to host operations in flight. The host knows an operation by its number and calls settle() when it is
// done; a lease that ends forgets them all.
export const native = globalThis.__native;
delete globalThis.__native;

const P = Promise;
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
