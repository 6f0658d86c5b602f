// `import … from "dgate"` (or "tidegate"): small helpers, and the other modules as objects.
import { admit, native, promised } from "tidegate:native";
import * as state from "tidegate/state";
import * as crypto from "tidegate/crypto";
import * as storage from "tidegate/storage";
import * as http from "tidegate/http";
import * as util from "tidegate/util";
import * as x from "tidegate/x";

const units = { __proto__: null, ns: 1e-6, us: 1e-3, "µs": 1e-3, ms: 1, s: 1000, m: 60000, h: 3600000 };

// "1h30m", "1.5s", "30ms", or a number of seconds.
function milliseconds(duration) {
  if (typeof duration === "number") return duration * 1000;
  if (typeof duration !== "string") throw new TypeError("sleep() needs a number of seconds or a text like '30ms'");
  if (!/^[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$|^0$/.test(duration)) {
    throw new TypeError(`sleep(): '${duration}' is no duration`);
  }
  let total = 0;
  for (const [, number, unit] of duration.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) total += number * units[unit];
  return duration.startsWith("-") ? 0 : total;
}

export function asyncSleep(duration) {
  return promised(native.sleep(milliseconds(duration), false));
}

// DGate's sleep blocks; nothing may block a shard, so it is a promise here.
export const sleep = asyncSleep;

export function fail(message) {
  throw new Error(message);
}

// Calls fn(0), fn(1), … until it gives something true, n times at most. An exception counts as a failed try; the
// last one is thrown. With an async fn it gives a promise.
export function retry(n, fn) {
  if (!(n > 0)) throw new Error("retry(): the number of tries must be greater than 0");
  if (typeof fn !== "function") throw new TypeError("retry() needs a function as its second argument");
  for (let i = 0; i < n; i++) {
    let result;
    try {
      result = fn(i);
    } catch (error) {
      if (i + 1 === n) throw error;
      continue;
    }
    if (result instanceof Promise) return retryLater(n, fn, i, result);
    if (result || i + 1 === n) return result;
  }
}

async function retryLater(n, fn, i, first) {
  for (let result = first; ; result = fn(i)) {
    try {
      const value = await result;
      if (value || i + 1 >= n) return value;
    } catch (error) {
      if (i + 1 >= n) throw error;
    }
    i++;
  }
}

// The value of a secret of the namespace, or null. Needs the permission secrets[:NAME].
export function secret(name) {
  return native.secret(name) ?? null;
}

// A variable of the gateway's environment, or undefined. Needs the permission env[:NAME].
export function env(name) {
  return native.env(name) ?? undefined;
}

export { state, crypto, storage, http, util, x };
const all = { asyncSleep, sleep, fail, retry, secret, env, state, crypto, storage, http, util, x };

admit(all);
export default all;
