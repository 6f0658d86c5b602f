// Bodies of Request and Response (Fetch standard, section 5.2). One that the host sends is read from it directly
// unless somebody asks for its stream.
import { native, promised, from, later } from "tidegate:native";
import { upon, rejected, silence } from "tidegate:streams/promises";

native.need("streams");

const NONE = -1;
const streams = () => from("tidegate:streams/main", "readable");
const blobs = () => from("tidegate:web/blob", "blobs");

// data: bytes that are there. host: number of a stream of the host. stream: a ReadableStream.
function newBody(data, host, stream, type) {
  return { __proto__: null, data, host, stream, type, used: false, failure: undefined, controller: null, open: null, given: host };
}

// Of what a user gives; null for no body.
export function bodyOf(given) {
  if (given === undefined || given === null) return null;
  if (typeof given === "object") {
    if (given instanceof ArrayBuffer) return newBody(new Uint8Array(given.slice(0)), NONE, null, null);
    if (ArrayBuffer.isView(given)) {
      return newBody(new Uint8Array(given.buffer, given.byteOffset, given.byteLength).slice(), NONE, null, null);
    }
    // Classes that were never loaded have no objects.
    if (later.readable?.isReadable(given)) {
      const s = later.readable.streamState(given);
      if (s.disturbed || s.reader !== null) throw new TypeError("the stream of the body has been read or is locked");
      return newBody(null, NONE, given, null);
    }
    if (later.URLSearchParams !== undefined && given instanceof later.URLSearchParams) {
      return newBody(native.utf8Encode(given.toString()), NONE, null, "application/x-www-form-urlencoded;charset=UTF-8");
    }
    if (later.blobs !== undefined && given instanceof later.blobs.Blob) {
      return newBody(later.blobs.bytesOf(given), NONE, null, given.type === "" ? null : given.type);
    }
    if (later.blobs !== undefined && given instanceof later.blobs.FormData) {
      const { data, type } = later.blobs.multipart(given);
      return newBody(data, NONE, null, type);
    }
  }
  return newBody(native.utf8Encode(given), NONE, null, "text/plain;charset=UTF-8");
}

export const hostBody = (host) => newBody(null, host, null, null);

// One whose stream is asked for when it is needed.
export function lateBody(open) {
  const body = newBody(null, NONE, null, null);
  body.open = open;
  return body;
}

function opened(body) {
  if (body.open !== null) {
    body.host = body.given = body.open();
    body.open = null;
  }
  return body;
}

// A ReadableStream over bytes that are there.
export function streamOf(data) {
  const { makeReadable, enqueue, close, streamState } = streams();
  let rest = data;
  const stream = makeReadable({
    __proto__: null,
    hwm: 0,
    pull: () => {
      const c = streamState(stream).controller;
      if (rest.length > 0) enqueue(c, rest.slice());
      rest = new Uint8Array(0);
      close(c);
      return upon(nothing, () => undefined);
    },
  });
  return stream;
}
const nothing = Promise.resolve();

// A ReadableStream over one of the host's: a piece is asked for when somebody wants it.
export function hostStream(host, body = undefined) {
  const { makeReadable, enqueue, close, streamState } = streams();
  const stream = makeReadable({
    __proto__: null,
    hwm: 0,
    pull: () => upon(promised(native.streamRead(host)), (piece) => {
      const c = streamState(stream).controller;
      if (c.s.state !== 0) return;
      if (piece === undefined) {
        native.streamCancel(host);
        close(c);
      } else enqueue(c, piece);
    }, (error) => {
      throw asFailure(body, error);
    }),
    cancel: () => {
      native.streamCancel(host);
      return nothing;
    },
  });
  return stream;
}

// What a piece that did not come is told as: the reason of an abort, or an error of the network.
function asFailure(body, error) {
  if (body?.failure !== undefined) return body.failure.reason;
  return new TypeError(`the body could not be read: ${error.message}`, { cause: error });
}

export function isUsed(body) {
  if (body === null) return false;
  return body.used || (body.stream !== null && streams().streamState(body.stream).disturbed);
}

export function isUnusable(body) {
  return isUsed(body) || (body !== null && body.stream !== null && streams().streamState(body.stream).reader !== null);
}

// The body as a stream; from now on it is one.
export function asStream(body) {
  if (body === null) return null;
  if (body.stream === null) {
    if (body.data !== null) body.stream = streamOf(body.data);
    else {
      opened(body);
      body.stream = hostStream(body.host, body);
      body.controller = streams().streamState(body.stream).controller;
    }
    body.data = null;
    body.host = NONE;
    if (body.used) silence(streams().cancelStream(streams().streamState(body.stream), undefined));
  }
  return body.stream;
}

// Gives up a body that comes from the host.
export function abortBody(body, reason) {
  if (body === null) return;
  body.failure = { reason };
  if (body.given >= 0) native.streamCancel(body.given);
  if (body.controller !== null) streams().fail(body.controller, reason);
  body.abandon?.(reason);
}

// All of it, as one Uint8Array that belongs to the caller.
export function collect(body) {
  if (body === null) return Promise.resolve(new Uint8Array(0));
  if (isUnusable(body)) return rejected(new TypeError("the body has been read already, or is locked to a reader"));
  if (body.failure !== undefined) return rejected(body.failure.reason);
  if (body.data !== null) {
    body.used = true;
    return Promise.resolve(body.data);
  }
  return body.stream === null ? collectHost(body) : collectStream(body.stream);
}

function collectHost(body) {
  try {
    opened(body);
  } catch (error) {
    return rejected(error);
  }
  body.used = true;
  const { host } = body;
  return new Promise((resolve, reject) => {
    const chunks = [];
    body.abandon = reject;
    const next = () => upon(promised(native.streamRead(host)), (piece) => {
      if (piece !== undefined) {
        chunks.push(piece);
        next();
        return;
      }
      native.streamCancel(host);
      resolve(joined(chunks));
    }, (error) => {
      native.streamCancel(host);
      reject(asFailure(body, error));
    });
    next();
  });
}

function collectStream(stream) {
  const { streamState, acquire, read, release, cancelStream } = streams();
  const r = acquire(streamState(stream));
  return new Promise((resolve, reject) => {
    const chunks = [];
    const request = {
      __proto__: null,
      chunk: (chunk) => {
        if (!(chunk instanceof Uint8Array)) {
          const error = new TypeError("the stream of a body must give Uint8Arrays");
          silence(cancelStream(r.s, error));
          release(r);
          reject(error);
          return;
        }
        chunks.push(chunk);
        // A stream that has everything at once must not recurse for ever.
        upon(nothing, () => read(r, request));
      },
      close: () => {
        release(r);
        resolve(joined(chunks));
      },
      error: (reason) => {
        release(r);
        reject(reason);
      },
    };
    read(r, request);
  });
}

function joined(chunks) {
  if (chunks.length === 1) return chunks[0];
  let length = 0;
  for (let i = 0; i < chunks.length; i++) length += chunks[i].length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < chunks.length; i++) {
    whole.set(chunks[i], at);
    at += chunks[i].length;
  }
  return whole;
}

// Two bodies out of one.
export function split(body) {
  if (body === null) return null;
  if (body.data !== null) return newBody(body.data, NONE, null, body.type);
  const [one, two] = asStream(body).tee();
  body.stream = one;
  return newBody(null, NONE, two, body.type);
}

// The methods that read a body, for both classes; `part` gives an object's body and content type.
export function readers(part) {
  const text = (data) => native.utf8Decode(data, false, false);
  const own = (data) => (data.byteOffset === 0 && data.byteLength === data.buffer.byteLength ? data : data.slice());
  const read = (message, convert) => {
    let found;
    try {
      found = part(message);
    } catch (error) {
      return rejected(error);
    }
    const whole = found.body !== null && found.body.data !== null;
    return upon(collect(found.body), (data) => convert(whole ? data.slice() : own(data), found.type));
  };
  return {
    arrayBuffer() { return read(this, (data) => data.buffer); },
    blob() { return read(this, (data, type) => new (blobs().Blob)([data], { type: type ?? "" })); },
    bytes() { return read(this, (data) => data); },
    formData() { return read(this, (data, type) => form(data, type ?? "")); },
    json() { return read(this, (data) => JSON.parse(text(data))); },
    text() { return read(this, text); },
  };
}

function form(data, type) {
  const { FormData, parseMultipart } = blobs();
  const essence = type.split(";")[0].trim().toLowerCase();
  if (essence === "application/x-www-form-urlencoded") {
    const made = new FormData();
    const flat = native.queryParse(native.utf8Decode(data, false, true));
    for (let i = 0; i < flat.length; i += 2) made.append(flat[i], flat[i + 1]);
    return made;
  }
  const boundary = /;\s*boundary=("?)([^";]+)\1/i.exec(type)?.[2];
  if (essence === "multipart/form-data" && boundary !== undefined) return parseMultipart(data, boundary);
  throw new TypeError(`formData(): the body's type is '${essence}' and not one of a form`);
}

later.streamOf = streamOf;
later.bodyStreams = { hostStream, lateBody };
