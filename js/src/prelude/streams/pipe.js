// Piping one stream into another, and splitting one in two (Streams standard, sections 4.2 and 4.9).
import { later } from "tidegate:native";
import { upon, resolved, rejected, silence, deferred, all } from "tidegate:streams/promises";
import { streamState, STATES, acquire, release, read, cancelStream, prepareReadable, begin, canEnqueue, enqueue, close, fail } from "tidegate:streams/readable";
import {
  writableState, isWritable, acquireWriter, releaseWriter, write, abortStream, closeStream, isClosing, writerDesiredSize,
} from "tidegate:streams/writable";

function optionsOf(options) {
  if (options === undefined || options === null) return { __proto__: null };
  if (typeof options !== "object" && typeof options !== "function") throw new TypeError("the options must be an object");
  const preventAbort = Boolean(options.preventAbort);
  const preventCancel = Boolean(options.preventCancel);
  const preventClose = Boolean(options.preventClose);
  const { signal } = options;
  if (signal !== undefined && !(later.isSignal?.(signal) ?? false)) throw new TypeError("the option signal is no AbortSignal");
  return { __proto__: null, preventAbort, preventCancel, preventClose, signal };
}

function through(stream, writable, options) {
  if (!isWritable(writable)) throw new TypeError("pipeThrough(): this writable is no WritableStream");
  const given = optionsOf(options);
  const [from, to] = [streamState(stream), writableState(writable)];
  if (from.reader !== null) throw new TypeError("pipeThrough(): the stream is locked to a reader");
  if (to.writer !== null) throw new TypeError("pipeThrough(): the writable is locked to a writer");
  return pipe(from, to, given);
}

function to(stream, destination, options) {
  if (!isWritable(destination)) throw new TypeError("pipeTo() needs a WritableStream");
  const given = optionsOf(options);
  const [source, sink] = [streamState(stream), writableState(destination)];
  if (source.reader !== null) throw new TypeError("pipeTo(): the stream is locked to a reader");
  if (sink.writer !== null) throw new TypeError("pipeTo(): the destination is locked to a writer");
  return pipe(source, sink, given);
}

function pipe(source, sink, { preventAbort, preventCancel, preventClose, signal }) {
  const reader = acquire(source);
  const writer = acquireWriter(sink);
  source.disturbed = true;
  const result = deferred();
  let shuttingDown = false;
  // The last write; what was read is written before the pipe ends.
  let current = resolved(undefined);

  const finalize = (isError, error) => {
    releaseWriter(writer);
    release(reader);
    signal?.removeEventListener("abort", onAbort);
    if (isError) result.reject(error);
    else result.resolve(undefined);
  };
  const afterWrites = () => {
    const before = current;
    return upon(current, () => (before === current ? undefined : afterWrites()), () => undefined);
  };
  const shutDown = (action, isError, error) => {
    if (shuttingDown) return;
    shuttingDown = true;
    const act = () => {
      if (action === undefined) return finalize(isError, error);
      return upon(action(), () => finalize(isError, error), (other) => finalize(true, other));
    };
    if (sink.state === "writable" && !isClosing(sink)) upon(afterWrites(), act);
    else act();
  };
  const onAbort = () => {
    const { reason } = signal;
    const actions = [];
    if (!preventAbort) actions.push(() => (sink.state === "writable" ? abortStream(sink, reason) : resolved(undefined)));
    if (!preventCancel) actions.push(() => (source.state === STATES.OPEN ? cancelStream(source, reason) : resolved(undefined)));
    shutDown(() => all(actions.map((action) => action())), true, reason);
  };
  if (signal !== undefined) {
    if (signal.aborted) {
      onAbort();
      return result.promise;
    }
    signal.addEventListener("abort", onAbort);
  }

  // Errors and ends go forward and backward; each is looked at now and when it comes.
  const sourceFailed = () => {
    const { error } = source;
    shutDown(preventAbort ? undefined : () => abortStream(sink, error), true, error);
  };
  const sinkFailed = () => {
    const { error } = sink;
    shutDown(preventCancel ? undefined : () => cancelStream(source, error), true, error);
  };
  const sourceClosed = () => shutDown(preventClose ? undefined : () => closeOrHear(sink), false, undefined);
  const sourceEnded = () => (source.state === STATES.ERRORED ? sourceFailed() : sourceClosed());
  if (source.state === STATES.ERRORED) sourceFailed();
  else upon(reader.closed.promise, () => undefined, sourceFailed);
  if (sink.state === "errored") sinkFailed();
  else upon(writer.closed.promise, () => undefined, sinkFailed);
  if (source.state === STATES.CLOSED) sourceClosed();
  else upon(reader.closed.promise, sourceEnded, () => undefined);
  if (isClosing(sink) || sink.state === "closed") {
    const gone = new TypeError("the destination is closed already");
    shutDown(preventCancel ? undefined : () => cancelStream(source, gone), true, gone);
  }

  const loop = () => {
    if (shuttingDown) return;
    upon(writer.ready.promise, () => {
      if (shuttingDown) return;
      // The sink may have filled up again meanwhile.
      if (sink.state === "writable" && !(writerDesiredSize(sink) > 0)) return loop();
      read(reader, {
        chunk: (chunk) => {
          // Not at once: whoever enqueues must not see the write before its own call has returned.
          current = upon(resolved(undefined), () => silence(writer.s === null ? resolved(undefined) : write(writer, chunk)));
          silence(current);
          upon(resolved(undefined), loop);
        },
        close: () => undefined,
        error: () => undefined,
      });
    }, () => undefined);
  };
  loop();
  return result.promise;
}

function closeOrHear(sink) {
  if (isClosing(sink) || sink.state === "closed") return resolved(undefined);
  if (sink.state === "errored") return rejected(sink.error);
  return closeStream(sink);
}

function tee(stream) {
  const source = streamState(stream);
  if (source.reader !== null) throw new TypeError("tee(): the stream is locked to a reader");
  const reader = acquire(source);
  const cancelled = [false, false];
  const reasons = [undefined, undefined];
  const done = deferred();
  const branches = [];
  let reading = false;
  let again = false;
  const pull = () => {
    if (reading) {
      again = true;
      return resolved(undefined);
    }
    reading = true;
    read(reader, {
      chunk: (chunk) => upon(resolved(undefined), () => {
        again = false;
        for (let i = 0; i < 2; i++) if (!cancelled[i] && canEnqueue(branches[i])) enqueue(branches[i], chunk);
        reading = false;
        if (again) pull();
      }),
      close: () => {
        reading = false;
        for (let i = 0; i < 2; i++) if (!cancelled[i] && canEnqueue(branches[i])) close(branches[i]);
        if (!cancelled[0] || !cancelled[1]) done.resolve(undefined);
      },
      error: () => {
        reading = false;
      },
    });
    return resolved(undefined);
  };
  const cancel = (i) => (reason) => {
    cancelled[i] = true;
    reasons[i] = reason;
    if (cancelled[1 - i]) upon(cancelStream(source, [reasons[0], reasons[1]]), done.resolve, done.reject);
    return done.promise;
  };
  const made = [0, 1].map((i) => {
    const { stream: branch, c } = prepareReadable({ __proto__: null, pull, cancel: cancel(i), hwm: source.controller.isBytes ? 0 : 1 });
    branches[i] = c;
    return branch;
  });
  branches.forEach(begin);
  upon(reader.closed.promise, () => undefined, (error) => {
    for (const branch of branches) fail(branch, error);
    if (!cancelled[0] || !cancelled[1]) done.resolve(undefined);
  });
  return made;
}

later.piping = { through, to, tee };
