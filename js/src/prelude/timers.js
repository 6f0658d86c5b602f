// setTimeout, setInterval and performance.now (HTML, section 8.6; High Resolution Time). A timer lives as long as
// the request it was set in; what its callback throws is reported and is nobody's answer.
import { native, cancel, onSettled, from, expose } from "tidegate:native";

const { apply } = Reflect;
const intervals = { __proto__: null };

function run(callback, values) {
  try {
    apply(callback, undefined, values);
  } catch (error) {
    from("tidegate:console", "report")("uncaught in a timer:", error);
  }
}

function checked(callback) {
  if (typeof callback !== "function") throw new TypeError("a timer needs a function");
  return callback;
}

export function setTimeout(callback, ms = 0, ...values) {
  checked(callback);
  const id = native.sleep(ms, true);
  onSettled(id, () => run(callback, values));
  return id;
}

export function setInterval(callback, ms = 0, ...values) {
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
}

function clear(id) {
  const number = typeof id === "number" ? id : Number(id);
  if (!(number >= 0 && number <= 0x3fffffff) || number % 1 !== 0) return;
  const current = intervals[number] ?? number;
  delete intervals[number];
  cancel(current);
}

export function clearTimeout(id) {
  clear(id);
}

export function clearInterval(id) {
  clear(id);
}

const performance = { now: () => native.monotonic(), timeOrigin: native.now() - native.monotonic() };

expose({ setTimeout, setInterval, clearTimeout, clearInterval, performance });
