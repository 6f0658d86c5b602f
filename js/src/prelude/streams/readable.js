// ReadableStream with its default reader and controller (Streams standard, section 4). A stream of bytes is read
// as any other here: its own kind of reader, which fills buffers of the user's, does not exist.
import { admit, from, later } from "tidegate:native";
import {
  apply, upon, resolved, rejected, silence, deferred, settled, invoke, members, strategy, sizeOf, Queue, publish,
} from "tidegate:streams/promises";

const OPEN = 0;
const CLOSED = 1;
const ERRORED = 2;
export const STATES = { OPEN, CLOSED, ERRORED };

// Only this module can make these without a source of the user's.
const inside = Symbol();

const released = () => new TypeError("the reader was released from its stream");

// What is known of a stream, of its controller and of a reader. Other modules of the prelude work on these.
let streamState;
let readerState;
let controllerState;

function newState(stream) {
  return { __proto__: null, stream, state: OPEN, error: undefined, reader: null, controller: null, disturbed: false };
}

export class ReadableStream {
  #s;
  static {
    streamState = (stream) => stream.#s;
  }
  constructor(source = undefined, given = {}) {
    this.#s = newState(this);
    if (source === inside) return;
    if (source === null) throw new TypeError("the source must be an object");
    const { hwm, size, isGiven } = strategy(given, 1);
    if (source !== undefined && typeof source !== "object" && typeof source !== "function") {
      throw new TypeError("the source must be an object");
    }
    const auto = source?.autoAllocateChunkSize;
    const { cancel, pull, start } = members(source, ["cancel", "pull", "start"], "the source");
    const type = source?.type;
    if (type !== undefined && `${type}` !== "bytes") throw new TypeError(`the source has the unknown type '${type}'`);
    const isBytes = type !== undefined;
    if (isBytes && size !== undefined) throw new RangeError("a stream of bytes has no size function");
    if (isBytes && auto !== undefined && !(Number(auto) > 0)) throw new TypeError("autoAllocateChunkSize must be positive");
    const c = setUp(this.#s, {
      __proto__: null,
      start: start && ((controller) => apply(start, source, [controller])),
      pull: pull && ((controller) => invoke(pull, source, [controller])),
      cancel: cancel && ((reason) => invoke(cancel, source, [reason])),
      hwm: isBytes && !isGiven ? 0 : hwm,
      size: isBytes ? (chunk) => chunk.byteLength : size,
      isBytes,
    });
    begin(c);
  }
  static from(iterable) {
    return fromIterable(iterable);
  }
  get locked() { return this.#s.reader !== null; }
  cancel(reason = undefined) {
    if (!(#s in this)) return rejected(new TypeError("this is no ReadableStream"));
    if (this.#s.reader !== null) return rejected(new TypeError("the stream is locked to a reader"));
    return cancelStream(this.#s, reason);
  }
  getReader(options = undefined) {
    if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function") {
      throw new TypeError("the options must be an object");
    }
    const mode = options?.mode;
    void this.#s;
    if (mode === undefined) return new ReadableStreamDefaultReader(this);
    if (`${mode}` !== "byob") throw new TypeError(`there is no reader with the mode '${mode}'`);
    throw new TypeError("readers that fill a buffer (mode 'byob') are not supported");
  }
  pipeThrough(pair, options = undefined) {
    void this.#s;
    if (pair === null || typeof pair !== "object") throw new TypeError("pipeThrough() needs { writable, readable }");
    const { readable } = pair;
    if (readable === null || typeof readable !== "object" || !(#s in readable)) throw new TypeError("pipeThrough(): this readable is no ReadableStream");
    const { writable } = pair;
    const piping = from("tidegate:streams/pipe", "piping");
    silence(piping.through(this, writable, options));
    return readable;
  }
  pipeTo(destination, options = undefined) {
    if (!(#s in this)) return rejected(new TypeError("this is no ReadableStream"));
    try {
      return from("tidegate:streams/pipe", "piping").to(this, destination, options);
    } catch (error) {
      return rejected(error);
    }
  }
  tee() {
    void this.#s;
    return from("tidegate:streams/pipe", "piping").tee(this);
  }
  values(options = undefined) {
    const preventCancel = Boolean(options?.preventCancel);
    return iterate(new ReadableStreamDefaultReader(this), preventCancel);
  }
}

export class ReadableStreamDefaultReader {
  #r;
  static {
    readerState = (reader) => reader.#r;
  }
  constructor(stream) {
    const s = streamState(stream);
    if (s.reader !== null) throw new TypeError("the stream is locked to a reader already");
    this.#r = acquire(s);
  }
  get closed() { return #r in this ? this.#r.closed.promise : rejected(new TypeError("this is no reader")); }
  cancel(reason = undefined) {
    if (!(#r in this)) return rejected(new TypeError("this is no reader"));
    return this.#r.s === null ? rejected(released()) : cancelStream(this.#r.s, reason);
  }
  read() {
    if (!(#r in this)) return rejected(new TypeError("this is no reader"));
    if (this.#r.s === null) return rejected(released());
    const { promise, resolve, reject } = deferred();
    read(this.#r, {
      chunk: (value) => resolve({ value, done: false }),
      close: () => resolve({ value: undefined, done: true }),
      error: reject,
    });
    return promise;
  }
  releaseLock() {
    if (this.#r.s !== null) release(this.#r);
  }
}

export class ReadableStreamDefaultController {
  #c;
  static {
    controllerState = (controller) => controller.#c;
  }
  constructor(key, c) {
    if (key !== inside) throw new TypeError("Illegal constructor");
    this.#c = c;
  }
  get desiredSize() { return desiredSize(this.#c); }
  close() {
    if (!canEnqueue(this.#c)) throw new TypeError("the stream is closed or closing already");
    close(this.#c);
  }
  enqueue(chunk = undefined) {
    const c = this.#c;
    if (!canEnqueue(c)) throw new TypeError("the stream is closed or closing: nothing can be added");
    if (c.isBytes) {
      if (!ArrayBuffer.isView(chunk)) throw new TypeError("a stream of bytes takes views of an ArrayBuffer only");
      if (chunk.byteLength === 0) throw new TypeError("a stream of bytes takes no empty chunk");
      chunk = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    enqueue(c, chunk);
  }
  error(reason = undefined) { fail(this.#c, reason); }
}

// A stream of bytes has a controller of that name.
export class ReadableByteStreamController extends ReadableStreamDefaultController {
  get byobRequest() { return null; }
}

export function setUp(s, { start, pull, cancel, hwm, size, isBytes = false }) {
  const c = {
    __proto__: null, s, queue: new Queue(), total: 0, started: false, closing: false, pulling: false, again: false,
    start, pull, cancel, hwm, size, isBytes, controller: null,
  };
  s.controller = c;
  const Kind = isBytes ? ReadableByteStreamController : ReadableStreamDefaultController;
  c.controller = new Kind(inside, c);
  return c;
}

export function begin(c) {
  const result = c.start === undefined ? undefined : c.start(c.controller);
  upon(resolved(result), () => {
    c.started = true;
    pullIfNeeded(c);
  }, (error) => fail(c, error));
}

// A stream of the prelude's own; pull and cancel give promises.
export function makeReadable({ start, pull, cancel, hwm = 1, size }) {
  const stream = new ReadableStream(inside);
  begin(setUp(streamState(stream), { start, pull, cancel, hwm, size }));
  return stream;
}

// The same before anything runs: { stream, c }, to be begun by the caller.
export function prepareReadable(algorithms) {
  const stream = new ReadableStream(inside);
  return { stream, c: setUp(streamState(stream), algorithms) };
}

export function canEnqueue(c) {
  return !c.closing && c.s.state === OPEN;
}

export function desiredSize(c) {
  if (c.s.state === ERRORED) return null;
  return c.s.state === CLOSED ? 0 : c.hwm - c.total;
}

function shouldPull(c) {
  if (!canEnqueue(c) || !c.started) return false;
  return (c.s.reader !== null && c.s.reader.requests.length > 0) || c.hwm - c.total > 0;
}

function pullIfNeeded(c) {
  if (!shouldPull(c)) return;
  if (c.pulling) {
    c.again = true;
    return;
  }
  if (c.pull === undefined) return;
  c.pulling = true;
  upon(c.pull(c.controller), () => {
    c.pulling = false;
    if (!c.again) return;
    c.again = false;
    pullIfNeeded(c);
  }, (error) => fail(c, error));
}

function forget(c) {
  c.pull = c.cancel = c.size = undefined;
}

export function enqueue(c, chunk) {
  const { reader } = c.s;
  if (reader !== null && reader.requests.length > 0) {
    reader.requests.shift().chunk(chunk);
  } else {
    let size;
    try {
      size = sizeOf(c.size, chunk);
    } catch (error) {
      fail(c, error);
      throw error;
    }
    c.queue.push({ __proto__: null, chunk, size });
    c.total += size;
  }
  pullIfNeeded(c);
}

export function close(c) {
  c.closing = true;
  if (c.queue.length > 0) return;
  forget(c);
  closeStream(c.s);
}

export function fail(c, reason) {
  if (c.s.state !== OPEN) return;
  c.queue = new Queue();
  c.total = 0;
  forget(c);
  const { s } = c;
  s.state = ERRORED;
  s.error = reason;
  if (s.reader === null) return;
  silence(s.reader.closed.promise);
  s.reader.closed.reject(reason);
  refuse(s.reader, reason);
}

function refuse(r, reason) {
  const { requests } = r;
  r.requests = new Queue();
  while (requests.length > 0) requests.shift().error(reason);
}

function closeStream(s) {
  s.state = CLOSED;
  if (s.reader === null) return;
  const { requests, closed } = s.reader;
  closed.resolve(undefined);
  s.reader.requests = new Queue();
  while (requests.length > 0) requests.shift().close();
}

export function cancelStream(s, reason) {
  s.disturbed = true;
  if (s.state === CLOSED) return resolved(undefined);
  if (s.state === ERRORED) return rejected(s.error);
  closeStream(s);
  const c = s.controller;
  c.queue = new Queue();
  c.total = 0;
  const { cancel } = c;
  forget(c);
  const done = cancel === undefined ? resolved(undefined) : cancel(reason);
  return upon(done, () => undefined);
}

// Locks the stream to a new reader.
export function acquire(s) {
  const closed = s.state === OPEN ? deferred() : settled(s.state === CLOSED, s.state === CLOSED ? undefined : s.error);
  const r = { __proto__: null, s, closed, requests: new Queue() };
  s.reader = r;
  return r;
}

export function release(r) {
  const reason = released();
  if (r.s.state === OPEN) r.closed.reject(reason);
  else r.closed = settled(false, reason);
  silence(r.closed.promise);
  r.s.reader = null;
  r.s = null;
  refuse(r, reason);
}

// Asks for one chunk: one of request.chunk, close and error is called.
export function read(r, request) {
  const { s } = r;
  s.disturbed = true;
  if (s.state === CLOSED) request.close();
  else if (s.state === ERRORED) request.error(s.error);
  else {
    const c = s.controller;
    if (c.queue.length > 0) {
      const { chunk, size } = c.queue.shift();
      c.total = Math.max(0, c.total - size);
      if (c.closing && c.queue.length === 0) {
        forget(c);
        closeStream(s);
      } else {
        pullIfNeeded(c);
      }
      request.chunk(chunk);
    } else {
      r.requests.push(request);
      pullIfNeeded(c);
    }
  }
}

// The iterator of `for await`: one step after the other, and the stream is cancelled when the loop is left.
const asyncIterator = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}.prototype));
class StreamIterator {
  #r;
  #preventCancel;
  #last = null;
  #ended = false;
  constructor(r, preventCancel) {
    this.#r = r;
    this.#preventCancel = preventCancel;
  }
  #step() {
    if (this.#ended) return resolved({ value: undefined, done: true });
    const { promise, resolve, reject } = deferred();
    read(this.#r, {
      chunk: (value) => {
        this.#last = null;
        resolve({ value, done: false });
      },
      close: () => {
        this.#end();
        resolve({ value: undefined, done: true });
      },
      error: (reason) => {
        this.#end();
        reject(reason);
      },
    });
    // One turn later, as iterators of the platform are.
    return upon(promise, (result) => result);
  }
  #end() {
    this.#ended = true;
    this.#last = null;
    if (this.#r.s !== null) release(this.#r);
  }
  #after(step) {
    this.#last = this.#last === null ? step() : upon(this.#last, step, step);
    return this.#last;
  }
  next() {
    if (!(#r in this)) return rejected(new TypeError("this is no iterator of a stream"));
    return this.#after(() => this.#step());
  }
  return(value) {
    if (!(#r in this)) return rejected(new TypeError("this is no iterator of a stream"));
    return this.#after(() => {
      if (this.#ended) return resolved({ value, done: true });
      const { s } = this.#r;
      if (this.#preventCancel) {
        this.#end();
        return resolved({ value, done: true });
      }
      const done = cancelStream(s, value);
      this.#end();
      return upon(done, () => ({ value, done: true }));
    });
  }
}
delete StreamIterator.prototype.constructor;
Object.setPrototypeOf(StreamIterator.prototype, asyncIterator);
for (const name of ["next", "return"]) Object.defineProperty(StreamIterator.prototype, name, { enumerable: true });
admit(StreamIterator.prototype);

function iterate(reader, preventCancel) {
  return new StreamIterator(readerState(reader), preventCancel);
}

function fromIterable(iterable) {
  const make = iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator];
  if (typeof make !== "function") throw new TypeError("ReadableStream.from() needs something that can be iterated");
  const isSync = iterable[Symbol.asyncIterator] === undefined || iterable[Symbol.asyncIterator] === null;
  const iterator = apply(make, iterable, []);
  if (iterator === null || typeof iterator !== "object") throw new TypeError("this gives no iterator");
  const { next } = iterator;
  const checked = (result) => {
    if (result === null || typeof result !== "object") throw new TypeError("the iterator gave no object");
    return result;
  };
  const stream = makeReadable({
    __proto__: null,
    hwm: 0,
    pull: () => upon(upon(invoke(next, iterator, []), checked), (result) => {
      const c = streamState(stream).controller;
      if (result.done) {
        if (canEnqueue(c)) close(c);
        return undefined;
      }
      const add = (value) => {
        if (canEnqueue(c)) enqueue(c, value);
      };
      return isSync ? upon(resolved(result.value), add) : add(result.value);
    }),
    cancel: (reason) => {
      let method;
      try {
        method = iterator.return;
      } catch (error) {
        return rejected(error);
      }
      if (method === undefined || method === null) return resolved(undefined);
      return upon(invoke(method, iterator, [reason]), (result) => void checked(result));
    },
  });
  return stream;
}

Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator, {
  value: ReadableStream.prototype.values, writable: true, configurable: true,
});
Object.defineProperty(ReadableStream, "from", { enumerable: true });
publish(ReadableStream, "ReadableStream", 0);
publish(ReadableStreamDefaultReader, "ReadableStreamDefaultReader", 1);
publish(ReadableStreamDefaultController, "ReadableStreamDefaultController", 0);
publish(ReadableByteStreamController, "ReadableByteStreamController", 0);

export { streamState, readerState, controllerState };
export const isReadable = (value) => value instanceof ReadableStream;

later.readable = { ReadableStream, streamState, makeReadable, enqueue, close, fail, acquire, read, release, cancelStream, isReadable };
