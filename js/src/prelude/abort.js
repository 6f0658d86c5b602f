// AbortController and AbortSignal (DOM standard, section 3). A signal that depends on others hears of them at once.
import { native, onSettled, from, later, expose } from "tidegate:native";
import { Event, EventTarget, fire } from "tidegate:events";
import { publish } from "tidegate:streams/promises";

const inside = Symbol();
const exception = (message, name) => new (from("tidegate:exception", "DOMException"))(message, name);

let abortSignal;
let stateOf;
let isSignal;

export class AbortSignal extends EventTarget {
  #state = { __proto__: null, aborted: false, reason: undefined, algorithms: [], dependents: [], sources: [], isDependent: false };
  #handler = null;
  static {
    stateOf = (signal) => signal.#state;
    isSignal = (value) => value !== null && typeof value === "object" && #state in value;
    abortSignal = (signal, reason) => {
      const state = signal.#state;
      if (state.aborted) return;
      state.reason = reason === undefined ? exception("this operation was aborted", "AbortError") : reason;
      state.aborted = true;
      const reached = [];
      for (const dependent of state.dependents) {
        const its = dependent.#state;
        if (its.aborted) continue;
        its.reason = state.reason;
        its.aborted = true;
        reached.push(dependent);
      }
      run(signal);
      reached.forEach(run);
    };
  }
  constructor(key) {
    if (key !== inside) throw new TypeError("Illegal constructor");
    super();
  }
  static abort(reason = undefined) {
    const signal = new AbortSignal(inside);
    signal.#state.aborted = true;
    signal.#state.reason = reason === undefined ? exception("this operation was aborted", "AbortError") : reason;
    return signal;
  }
  static timeout(ms) {
    const number = Number(ms);
    if (!(number >= 0 && number <= Number.MAX_SAFE_INTEGER)) throw new TypeError("AbortSignal.timeout() needs a number of milliseconds");
    const signal = new AbortSignal(inside);
    onSettled(native.sleep(Math.floor(number), true), () => abortSignal(signal, exception("the operation timed out", "TimeoutError")));
    return signal;
  }
  static any(signals) {
    const all = [...signals];
    for (const source of all) if (!isSignal(source)) throw new TypeError("AbortSignal.any() needs a list of AbortSignals");
    const signal = new AbortSignal(inside);
    const state = signal.#state;
    for (const source of all) {
      if (!source.#state.aborted) continue;
      state.aborted = true;
      state.reason = source.#state.reason;
      return signal;
    }
    state.isDependent = true;
    for (const source of all) {
      // Of a signal that depends on others, those.
      const roots = source.#state.isDependent ? source.#state.sources : [source];
      for (const root of roots) {
        if (state.sources.includes(root)) continue;
        state.sources.push(root);
        root.#state.dependents.push(signal);
      }
    }
    return signal;
  }
  get aborted() { return this.#state.aborted; }
  get reason() { return this.#state.reason; }
  throwIfAborted() { if (this.#state.aborted) throw this.#state.reason; }
  get onabort() { return this.#handler?.given ?? null; }
  set onabort(given) {
    if (this.#handler !== null) this.removeEventListener("abort", this.#handler);
    this.#handler = null;
    if (typeof given !== "function") return;
    this.#handler = Object.assign((event) => given.call(this, event), { given });
    this.addEventListener("abort", this.#handler);
  }
}

function run(signal) {
  const state = stateOf(signal);
  const { algorithms } = state;
  state.algorithms = [];
  for (const algorithm of algorithms) algorithm(state.reason);
  fire(signal, new Event("abort"));
}

export class AbortController {
  #signal = new AbortSignal(inside);
  get signal() { return this.#signal; }
  abort(reason = undefined) { abortSignal(this.#signal, reason); }
}

// Runs once when the signal is aborted, before the listeners of the user's.
export function onAbort(signal, algorithm) {
  const state = stateOf(signal);
  if (state.aborted) algorithm(state.reason);
  else state.algorithms.push(algorithm);
}

export function offAbort(signal, algorithm) {
  const state = stateOf(signal);
  state.algorithms = state.algorithms.filter((known) => known !== algorithm);
}

publish(AbortSignal, "AbortSignal", 0);
publish(AbortController, "AbortController", 0);
for (const name of ["abort", "timeout", "any"]) Object.defineProperty(AbortSignal, name, { enumerable: true });

later.isSignal = isSignal;
later.AbortController = AbortController;
later.abort = { onAbort, offAbort, isSignal };
expose({ AbortController, AbortSignal });
