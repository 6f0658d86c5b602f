// TransformStream (Streams standard, section 6). The readable side's wish for more is what lets the writable side
// take more.
import { later } from "tidegate:native";
import { apply, upon, resolved, rejected, deferred, invoke, members, strategy, publish } from "tidegate:streams/promises";
import { prepareReadable, begin as beginReadable, canEnqueue, enqueue, close, fail, desiredSize, STATES } from "tidegate:streams/readable";
import { prepareWritable, begin as beginWritable, fail as failWritable } from "tidegate:streams/writable";

const inside = Symbol();

export class TransformStream {
  #t;
  constructor(transformer = undefined, writableStrategy = {}, readableStrategy = {}) {
    if (transformer === null) throw new TypeError("the transformer must be an object");
    if (transformer !== undefined && typeof transformer !== "object" && typeof transformer !== "function") {
      throw new TypeError("the transformer must be an object");
    }
    const writable = strategy(writableStrategy, 1);
    const readable = strategy(readableStrategy, 0);
    const { cancel, flush, start, transform } = members(transformer, ["cancel", "flush", "start", "transform"], "the transformer");
    for (const name of ["readableType", "writableType"]) {
      if (transformer?.[name] !== undefined) throw new RangeError(`the transformer's ${name} is not known`);
    }
    this.#t = setUp({
      __proto__: null,
      start: start && ((controller) => apply(start, transformer, [controller])),
      transform: transform && ((chunk, controller) => invoke(transform, transformer, [chunk, controller])),
      flush: flush && ((controller) => invoke(flush, transformer, [controller])),
      cancel: cancel && ((reason) => invoke(cancel, transformer, [reason])),
      writable,
      readable,
    });
  }
  get readable() { return this.#t.readable; }
  get writable() { return this.#t.writable; }
}

export class TransformStreamDefaultController {
  #t;
  constructor(key, t) {
    if (key !== inside) throw new TypeError("Illegal constructor");
    this.#t = t;
  }
  get desiredSize() { return desiredSize(this.#t.r); }
  enqueue(chunk = undefined) { give(this.#t, chunk); }
  error(reason = undefined) { errorBoth(this.#t, reason); }
  terminate() { terminate(this.#t); }
}

// A transform of the prelude's own; its functions give promises.
export function setUp({ start, transform, flush, cancel, writable = { hwm: 1 }, readable = { hwm: 0 } }) {
  const t = {
    __proto__: null, readable: null, writable: null, r: null, w: null, backpressure: undefined, changed: null,
    transform, flush, cancel, finishing: null, controller: null,
  };
  const starting = deferred();
  const first = () => starting.promise;
  const w = prepareWritable({
    __proto__: null,
    start: first, write: (chunk) => sinkWrite(t, chunk), close: () => sinkClose(t), abort: (reason) => sinkAbort(t, reason),
    hwm: writable.hwm, size: writable.size,
  });
  const r = prepareReadable({
    __proto__: null,
    start: first, pull: () => sourcePull(t), cancel: (reason) => sourceCancel(t, reason),
    hwm: readable.hwm, size: readable.size,
  });
  t.writable = w.stream;
  t.w = w.c;
  t.readable = r.stream;
  t.r = r.c;
  setBackpressure(t, true);
  t.controller = new TransformStreamDefaultController(inside, t);
  beginWritable(w.c);
  beginReadable(r.c);
  starting.resolve(start === undefined ? undefined : start(t.controller));
  return t;
}

function setBackpressure(t, on) {
  t.changed?.resolve(undefined);
  t.changed = deferred();
  t.backpressure = on;
}

function forget(t) {
  t.transform = t.flush = t.cancel = undefined;
  t.isOver = true;
}

export function give(t, chunk) {
  const { r } = t;
  if (!canEnqueue(r)) throw new TypeError("the readable side is closed: nothing can be added");
  try {
    enqueue(r, chunk);
  } catch (error) {
    errorWritable(t, error);
    throw t.r.s.error;
  }
  const wants = shouldPull(r);
  if (wants === t.backpressure) setBackpressure(t, true);
}

function shouldPull(r) {
  if (!canEnqueue(r)) return false;
  return (r.s.reader !== null && r.s.reader.requests.length > 0) || r.hwm - r.total > 0;
}

function errorBoth(t, reason) {
  fail(t.r, reason);
  errorWritable(t, reason);
}

function errorWritable(t, reason) {
  forget(t);
  if (t.w.s.state === "writable") failWritable(t.w, reason);
  if (t.backpressure) setBackpressure(t, false);
}

function terminate(t) {
  if (canEnqueue(t.r)) close(t.r);
  errorWritable(t, new TypeError("the transform was ended"));
}

function runTransform(t, chunk) {
  let done;
  if (t.transform !== undefined) done = t.transform(chunk, t.controller);
  else {
    try {
      give(t, chunk);
      done = resolved(undefined);
    } catch (error) {
      done = rejected(error);
    }
  }
  return upon(done, () => undefined, (error) => {
    errorBoth(t, error);
    throw error;
  });
}

function sinkWrite(t, chunk) {
  if (!t.backpressure) return runTransform(t, chunk);
  return upon(t.changed.promise, () => {
    const { s } = t.w;
    if (s.state === "erroring") throw s.error;
    return runTransform(t, chunk);
  });
}

function sinkAbort(t, reason) {
  if (t.finishing !== null) return t.finishing.promise;
  t.finishing = deferred();
  const { cancel } = t;
  const done = cancel === undefined ? resolved(undefined) : cancel(reason);
  forget(t);
  upon(done, () => {
    if (t.r.s.state === STATES.ERRORED) t.finishing.reject(t.r.s.error);
    else {
      fail(t.r, reason);
      t.finishing.resolve(undefined);
    }
  }, (error) => {
    fail(t.r, error);
    t.finishing.reject(error);
  });
  return t.finishing.promise;
}

function sinkClose(t) {
  if (t.finishing !== null) return t.finishing.promise;
  t.finishing = deferred();
  const { flush } = t;
  const done = flush === undefined ? resolved(undefined) : flush(t.controller);
  forget(t);
  upon(done, () => {
    if (t.r.s.state === STATES.ERRORED) t.finishing.reject(t.r.s.error);
    else {
      if (canEnqueue(t.r)) close(t.r);
      t.finishing.resolve(undefined);
    }
  }, (error) => {
    fail(t.r, error);
    t.finishing.reject(error);
  });
  return t.finishing.promise;
}

function sourcePull(t) {
  setBackpressure(t, false);
  return t.changed.promise;
}

function sourceCancel(t, reason) {
  if (t.finishing !== null) return t.finishing.promise;
  t.finishing = deferred();
  const { cancel } = t;
  const done = cancel === undefined ? resolved(undefined) : cancel(reason);
  forget(t);
  const { s } = t.w;
  upon(done, () => {
    if (s.state === "errored") t.finishing.reject(s.error);
    else {
      if (s.state === "writable") failWritable(t.w, reason);
      if (t.backpressure) setBackpressure(t, false);
      t.finishing.resolve(undefined);
    }
  }, (error) => {
    if (s.state === "writable") failWritable(t.w, error);
    if (t.backpressure) setBackpressure(t, false);
    t.finishing.reject(error);
  });
  return t.finishing.promise;
}

publish(TransformStream, "TransformStream", 0);
publish(TransformStreamDefaultController, "TransformStreamDefaultController", 0);
later.transform = { TransformStream };
