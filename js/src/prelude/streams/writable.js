// WritableStream with its writer and controller (Streams standard, section 5).
import { from, later } from "tidegate:native";
import {
  apply, upon, resolved, rejected, silence, deferred, settled, invoke, members, strategy, sizeOf, Queue, publish,
} from "tidegate:streams/promises";

const inside = Symbol();
// Stands in the queue behind the last chunk.
const CLOSE = Symbol();

let writableState;
let writerState;

function newState(stream) {
  return {
    __proto__: null, stream, state: "writable", error: undefined, writer: null, controller: null, requests: new Queue(),
    inFlightWrite: null, closeRequest: null, inFlightClose: null, pendingAbort: null, backpressure: false,
  };
}

export class WritableStream {
  #s;
  static {
    writableState = (stream) => stream.#s;
  }
  constructor(sink = undefined, given = {}) {
    this.#s = newState(this);
    if (sink === inside) return;
    if (sink === null) throw new TypeError("the sink must be an object");
    const { hwm, size } = strategy(given, 1);
    if (sink !== undefined && typeof sink !== "object" && typeof sink !== "function") {
      throw new TypeError("the sink must be an object");
    }
    const { abort, close, start, write } = members(sink, ["abort", "close", "start", "write"], "the sink");
    if (sink?.type !== undefined) throw new RangeError("the sink's type is not known");
    begin(setUp(this.#s, {
      __proto__: null,
      start: start && ((controller) => apply(start, sink, [controller])),
      write: write && ((chunk, controller) => invoke(write, sink, [chunk, controller])),
      close: close && (() => invoke(close, sink, [])),
      abort: abort && ((reason) => invoke(abort, sink, [reason])),
      hwm,
      size,
    }));
  }
  get locked() { return this.#s.writer !== null; }
  abort(reason = undefined) {
    if (!(#s in this)) return rejected(new TypeError("this is no WritableStream"));
    if (this.#s.writer !== null) return rejected(new TypeError("the stream is locked to a writer"));
    return abortStream(this.#s, reason);
  }
  close() {
    if (!(#s in this)) return rejected(new TypeError("this is no WritableStream"));
    if (this.#s.writer !== null) return rejected(new TypeError("the stream is locked to a writer"));
    if (isClosing(this.#s)) return rejected(new TypeError("the stream is closing already"));
    return closeStream(this.#s);
  }
  getWriter() {
    return new WritableStreamDefaultWriter(this);
  }
}

export class WritableStreamDefaultWriter {
  #w;
  static {
    writerState = (writer) => writer.#w;
  }
  constructor(stream) {
    const s = writableState(stream);
    if (s.writer !== null) throw new TypeError("the stream is locked to a writer already");
    this.#w = acquireWriter(s);
  }
  get closed() { return #w in this ? this.#w.closed.promise : rejected(new TypeError("this is no writer")); }
  get ready() { return #w in this ? this.#w.ready.promise : rejected(new TypeError("this is no writer")); }
  get desiredSize() {
    if (this.#w.s === null) throw released();
    return writerDesiredSize(this.#w.s);
  }
  abort(reason = undefined) {
    if (!(#w in this)) return rejected(new TypeError("this is no writer"));
    return this.#w.s === null ? rejected(released()) : abortStream(this.#w.s, reason);
  }
  close() {
    if (!(#w in this)) return rejected(new TypeError("this is no writer"));
    if (this.#w.s === null) return rejected(released());
    if (isClosing(this.#w.s)) return rejected(new TypeError("the stream is closing already"));
    return closeStream(this.#w.s);
  }
  releaseLock() {
    if (this.#w.s !== null) releaseWriter(this.#w);
  }
  write(chunk = undefined) {
    if (!(#w in this)) return rejected(new TypeError("this is no writer"));
    return this.#w.s === null ? rejected(released()) : write(this.#w, chunk);
  }
}

export class WritableStreamDefaultController {
  #c;
  constructor(key, c) {
    if (key !== inside) throw new TypeError("Illegal constructor");
    this.#c = c;
  }
  get signal() {
    const c = this.#c;
    if (c.aborter === null) {
      c.aborter = new (from("tidegate:abort", "AbortController"))();
      if (c.aborted) c.aborter.abort(c.abortReason);
    }
    return c.aborter.signal;
  }
  error(reason = undefined) {
    if (this.#c.s.state === "writable") fail(this.#c, reason);
  }
}

const released = () => new TypeError("the writer was released from its stream");

export function setUp(s, { start, write: writeChunk, close, abort, hwm, size }) {
  const c = {
    __proto__: null, s, queue: new Queue(), total: 0, started: false, hwm, size, start, write: writeChunk, close, abort,
    aborter: null, aborted: false, abortReason: undefined, controller: null,
  };
  c.controller = new WritableStreamDefaultController(inside, c);
  s.controller = c;
  setBackpressure(s, hwm - c.total <= 0);
  return c;
}

export function begin(c) {
  const result = c.start === undefined ? undefined : c.start(c.controller);
  upon(resolved(result), () => {
    c.started = true;
    advance(c);
  }, (error) => {
    c.started = true;
    dealWithRejection(c.s, error);
  });
}

export function prepareWritable(algorithms) {
  const stream = new WritableStream(inside);
  return { stream, c: setUp(writableState(stream), algorithms) };
}

export function isClosing(s) {
  return s.closeRequest !== null || s.inFlightClose !== null;
}

export function acquireWriter(s) {
  const w = { __proto__: null, s, closed: null, ready: null };
  s.writer = w;
  if (s.state === "writable") {
    w.ready = !isClosing(s) && s.backpressure ? deferred() : settled(true, undefined);
    w.closed = deferred();
  } else if (s.state === "erroring") {
    w.ready = settled(false, s.error);
    w.closed = deferred();
  } else if (s.state === "closed") {
    w.ready = settled(true, undefined);
    w.closed = settled(true, undefined);
  } else {
    w.ready = settled(false, s.error);
    w.closed = settled(false, s.error);
  }
  w.isReadyPending = s.state === "writable" && !isClosing(s) && s.backpressure;
  w.isClosedPending = s.state === "writable" || s.state === "erroring";
  return w;
}

function refuse(w, what, pending, reason) {
  if (w[pending]) w[what].reject(reason);
  else w[what] = settled(false, reason);
  w[pending] = false;
  silence(w[what].promise);
}

export function releaseWriter(w) {
  const reason = released();
  refuse(w, "ready", "isReadyPending", reason);
  refuse(w, "closed", "isClosedPending", reason);
  w.s.writer = null;
  w.s = null;
}

export function writerDesiredSize(s) {
  if (s.state === "errored" || s.state === "erroring") return null;
  return s.state === "closed" ? 0 : s.controller.hwm - s.controller.total;
}

function setBackpressure(s, on) {
  const { writer } = s;
  if (writer !== null && on !== s.backpressure) {
    if (on) {
      writer.ready = deferred();
      writer.isReadyPending = true;
    } else {
      writer.ready.resolve(undefined);
      writer.isReadyPending = false;
    }
  }
  s.backpressure = on;
}

export function write(w, chunk) {
  const { s } = w;
  const c = s.controller;
  let size = 1;
  if (c.size !== undefined) {
    try {
      size = sizeOf(c.size, chunk);
    } catch (error) {
      if (s.state === "writable") fail(c, error);
    }
  }
  if (w.s !== s) return rejected(released());
  if (s.state === "errored") return rejected(s.error);
  if (isClosing(s) || s.state === "closed") return rejected(new TypeError("the stream is closed or closing"));
  if (s.state === "erroring") return rejected(s.error);
  const request = deferred();
  s.requests.push(request);
  c.queue.push({ __proto__: null, chunk, size });
  c.total += size;
  if (!isClosing(s) && s.state === "writable") setBackpressure(s, c.hwm - c.total <= 0);
  advance(c);
  return request.promise;
}

export function closeStream(s) {
  if (s.state === "closed" || s.state === "errored") {
    return rejected(new TypeError(`the stream is ${s.state} already`));
  }
  const request = deferred();
  s.closeRequest = request;
  if (s.writer !== null && s.backpressure && s.state === "writable") {
    s.writer.ready.resolve(undefined);
    s.writer.isReadyPending = false;
  }
  const c = s.controller;
  c.queue.push({ __proto__: null, chunk: CLOSE, size: 0 });
  advance(c);
  return request.promise;
}

export function abortStream(s, reason) {
  if (s.state === "closed" || s.state === "errored") return resolved(undefined);
  const c = s.controller;
  c.aborted = true;
  c.abortReason = reason;
  if (c.aborter !== null) c.aborter.abort(reason);
  if (s.state === "closed" || s.state === "errored") return resolved(undefined);
  if (s.pendingAbort !== null) return s.pendingAbort.promise;
  const wasErroring = s.state === "erroring";
  const made = deferred();
  s.pendingAbort = { ...made, reason: wasErroring ? undefined : reason, wasErroring };
  if (!wasErroring) startErroring(s, reason);
  return made.promise;
}

export function fail(c, reason) {
  startErroring(c.s, reason);
}

function startErroring(s, reason) {
  s.state = "erroring";
  s.error = reason;
  if (s.writer !== null) refuse(s.writer, "ready", "isReadyPending", reason);
  if (s.inFlightWrite === null && s.inFlightClose === null && s.controller.started) finishErroring(s);
}

export function dealWithRejection(s, reason) {
  if (s.state === "writable") startErroring(s, reason);
  else finishErroring(s);
}

function finishErroring(s) {
  s.state = "errored";
  const c = s.controller;
  c.queue = new Queue();
  c.total = 0;
  const { requests } = s;
  s.requests = new Queue();
  while (requests.length > 0) requests.shift().reject(s.error);
  const aborting = s.pendingAbort;
  if (aborting === null) {
    refuseClose(s);
    return;
  }
  s.pendingAbort = null;
  if (aborting.wasErroring) {
    aborting.reject(s.error);
    refuseClose(s);
    return;
  }
  const { abort } = c;
  forget(c);
  upon(abort === undefined ? resolved(undefined) : abort(aborting.reason), () => {
    aborting.resolve(undefined);
    refuseClose(s);
  }, (error) => {
    aborting.reject(error);
    refuseClose(s);
  });
}

function refuseClose(s) {
  if (s.closeRequest !== null) {
    s.closeRequest.reject(s.error);
    s.closeRequest = null;
  }
  if (s.writer !== null) {
    s.writer.closed.reject(s.error);
    s.writer.isClosedPending = false;
    silence(s.writer.closed.promise);
  }
}

function forget(c) {
  c.write = c.close = c.abort = c.size = undefined;
}

// Hands the next chunk, or the end, to the sink.
function advance(c) {
  const { s } = c;
  if (!c.started || s.inFlightWrite !== null) return;
  if (s.state === "erroring") {
    finishErroring(s);
    return;
  }
  if (c.queue.length === 0) return;
  const { chunk } = c.queue.peek();
  if (chunk === CLOSE) finishQueue(c);
  else {
    s.inFlightWrite = s.requests.shift();
    upon(c.write === undefined ? resolved(undefined) : c.write(chunk, c.controller), () => {
      s.inFlightWrite.resolve(undefined);
      s.inFlightWrite = null;
      const { size } = c.queue.shift();
      c.total = Math.max(0, c.total - size);
      if (!isClosing(s) && s.state === "writable") setBackpressure(s, c.hwm - c.total <= 0);
      advance(c);
    }, (error) => {
      if (s.state === "writable") forget(c);
      s.inFlightWrite.reject(error);
      s.inFlightWrite = null;
      dealWithRejection(s, error);
    });
  }
}

function finishQueue(c) {
  const { s } = c;
  s.inFlightClose = s.closeRequest;
  s.closeRequest = null;
  c.queue.shift();
  const { close } = c;
  const done = close === undefined ? resolved(undefined) : close();
  forget(c);
  upon(done, () => {
    s.inFlightClose.resolve(undefined);
    s.inFlightClose = null;
    if (s.state === "erroring") {
      s.error = undefined;
      if (s.pendingAbort !== null) {
        s.pendingAbort.resolve(undefined);
        s.pendingAbort = null;
      }
    }
    s.state = "closed";
    if (s.writer !== null) {
      s.writer.closed.resolve(undefined);
      s.writer.isClosedPending = false;
    }
  }, (error) => {
    s.inFlightClose.reject(error);
    s.inFlightClose = null;
    if (s.pendingAbort !== null) {
      s.pendingAbort.reject(error);
      s.pendingAbort = null;
    }
    dealWithRejection(s, error);
  });
}

publish(WritableStream, "WritableStream", 0);
publish(WritableStreamDefaultWriter, "WritableStreamDefaultWriter", 1);
publish(WritableStreamDefaultController, "WritableStreamDefaultController", 0);

export { writableState };
export const isWritable = (value) => value instanceof WritableStream;
later.writable = { WritableStream, writableState, isWritable };
