// Event, CustomEvent and EventTarget (DOM standard, section 2) without a tree: an event has one target.
import { native, from, later, expose } from "tidegate:native";
import { publish } from "tidegate:streams/promises";

const { apply } = Reflect;
const [NONE, AT_TARGET] = [0, 2];

let inside;

export class Event {
  #type;
  #bubbles;
  #cancelable;
  #composed;
  #timeStamp = native.monotonic();
  #state = { __proto__: null, target: null, phase: NONE, stopped: false, stoppedNow: false, cancelled: false, passive: false, dispatching: false, trusted: false };
  static {
    inside = (event) => event.#state;
  }
  constructor(type, init = undefined) {
    if (arguments.length === 0) throw new TypeError("Event needs a type");
    if (init !== undefined && init !== null && typeof init !== "object" && typeof init !== "function") throw new TypeError("the second argument of Event must be an object");
    this.#type = `${type}`;
    this.#bubbles = Boolean(init?.bubbles);
    this.#cancelable = Boolean(init?.cancelable);
    this.#composed = Boolean(init?.composed);
    // Nobody but the platform makes trusted events; every event has this as a property of its own.
    Object.defineProperty(this, "isTrusted", trusted);
  }
  get type() { return this.#type; }
  get target() { return this.#state.target; }
  get srcElement() { return this.#state.target; }
  get currentTarget() { return this.#state.phase === NONE ? null : this.#state.target; }
  get eventPhase() { return this.#state.phase; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get defaultPrevented() { return this.#state.cancelled; }
  get returnValue() { return !this.#state.cancelled; }
  set returnValue(value) { if (!value) this.preventDefault(); }
  get cancelBubble() { return this.#state.stopped; }
  set cancelBubble(value) { if (value) this.#state.stopped = true; }
  get timeStamp() { return this.#timeStamp; }
  composedPath() { return this.#state.phase === NONE ? [] : [this.#state.target]; }
  stopPropagation() { this.#state.stopped = true; }
  stopImmediatePropagation() { this.#state.stopped = this.#state.stoppedNow = true; }
  preventDefault() { if (this.#cancelable && !this.#state.passive) this.#state.cancelled = true; }
}

// The same function for all of them, and no constructor.
const { get } = Object.getOwnPropertyDescriptor({ get isTrusted() { return inside(this).trusted; } }, "isTrusted");
const trusted = { get, set: undefined, enumerable: true, configurable: false };

for (const on of [Event, Event.prototype]) {
  ["NONE", "CAPTURING_PHASE", "AT_TARGET", "BUBBLING_PHASE"].forEach((name, value) => {
    Object.defineProperty(on, name, { value, enumerable: true });
  });
}

export class CustomEvent extends Event {
  #detail;
  constructor(type, init = undefined) {
    super(type, init);
    this.#detail = init?.detail ?? null;
  }
  get detail() { return this.#detail; }
}

export let fire;

export class EventTarget {
  #listeners = [];
  addEventListener(type, callback, options = undefined) {
    const { capture, once, passive, signal } = read(options);
    void this.#listeners;
    if (callback === undefined) throw new TypeError("addEventListener() needs a listener, or null");
    if (callback !== null && typeof callback !== "function" && typeof callback !== "object") throw new TypeError("a listener is a function or an object");
    if (signal !== undefined && !(later.isSignal?.(signal) ?? false)) throw new TypeError("the option signal is no AbortSignal");
    if (callback === null || signal?.aborted) return;
    const name = `${type}`;
    if (this.#listeners.some((l) => l.name === name && l.callback === callback && l.capture === capture)) return;
    const listener = { __proto__: null, name, callback, capture, once, passive, removed: false };
    this.#listeners.push(listener);
    signal?.addEventListener("abort", () => this.#remove(listener), { once: true });
  }
  removeEventListener(type, callback, options = undefined) {
    const capture = typeof options === "object" && options !== null ? Boolean(options.capture) : Boolean(options);
    const name = `${type}`;
    const found = this.#listeners.find((l) => l.name === name && l.callback === callback && l.capture === capture);
    if (found !== undefined) this.#remove(found);
  }
  #remove(listener) {
    listener.removed = true;
    this.#listeners = this.#listeners.filter((l) => l !== listener);
  }
  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent() needs an Event");
    const state = inside(event);
    if (state.dispatching) {
      throw new (from("tidegate:exception", "DOMException"))("the event is being dispatched already", "InvalidStateError");
    }
    state.trusted = false;
    return this.#dispatch(event, state);
  }
  #dispatch(event, state) {
    state.dispatching = true;
    state.target = this;
    state.phase = AT_TARGET;
    const { type } = event;
    const wanted = this.#listeners.filter((l) => l.name === type);
    // Those that capture come first.
    for (const listener of [...wanted.filter((l) => l.capture), ...wanted.filter((l) => !l.capture)]) {
      if (state.stoppedNow) break;
      if (listener.removed) continue;
      if (listener.once) this.#remove(listener);
      state.passive = listener.passive;
      try {
        const { callback } = listener;
        if (typeof callback === "function") apply(callback, this, [event]);
        else {
          const { handleEvent } = callback;
          if (typeof handleEvent !== "function") throw new TypeError("the listener has no function handleEvent");
          apply(handleEvent, callback, [event]);
        }
      } catch (error) {
        from("tidegate:console", "report")("uncaught in an event listener:", error);
      }
      state.passive = false;
    }
    state.phase = NONE;
    state.dispatching = state.stopped = state.stoppedNow = false;
    return !state.cancelled;
  }
  // What the platform itself dispatches is trusted.
  static {
    fire = (target, event) => {
      const state = inside(event);
      state.trusted = true;
      return target.#dispatch(event, state);
    };
  }
}

function read(options) {
  if (options === undefined || options === null || typeof options !== "object") return { capture: Boolean(options), once: false, passive: false };
  const capture = Boolean(options.capture);
  const once = Boolean(options.once);
  const passive = Boolean(options.passive);
  return { capture, once, passive, signal: options.signal };
}

publish(Event, "Event", 1);
publish(CustomEvent, "CustomEvent", 1);
publish(EventTarget, "EventTarget", 0);

expose({ Event, CustomEvent, EventTarget });
