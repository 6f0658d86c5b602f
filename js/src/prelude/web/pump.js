// From a stream of JavaScript's into a pipe that the host reads: one piece at a time, at the reader's pace.
import { native, promised, from, later, bytes } from "tidegate:native";
import { silence } from "tidegate:streams/promises";
import { asStream } from "tidegate:web/body";

native.need("streams");

export function pump(body, pipe) {
  return pumpStream(asStream(body), pipe);
}

export async function pumpStream(stream, pipe) {
  const { streamState, acquire, read, cancelStream } = from("tidegate:streams/main", "readable");
  const s = streamState(stream);
  const r = acquire(s);
  const next = () => new Promise((resolve, reject) => {
    read(r, { __proto__: null, chunk: (chunk) => resolve([chunk]), close: () => resolve(null), error: reject });
  });
  let piece;
  try {
    while ((piece = await next()) !== null) {
      const [chunk] = piece;
      if (typeof chunk !== "string" && !(chunk instanceof ArrayBuffer) && !ArrayBuffer.isView(chunk)) {
        throw new TypeError("the stream of a body must give bytes or strings");
      }
      let taken;
      try {
        const data = bytes(chunk);
        if (data.length === 0 || data.byteLength === 0) continue;
        taken = promised(native.pipeWrite(pipe, data));
        await taken;
      } catch (error) {
        // Whoever read it has gone, or the request is over: what else the stream has is of no use.
        silence(cancelStream(s, error));
        return;
      }
    }
    native.pipeClose(pipe);
  } catch (error) {
    native.pipeFail(pipe, `${error?.message ?? error}`);
    if (s.state === 0) silence(cancelStream(s, error));
    throw error;
  }
}

later.pump = pump;
later.pumpStream = pumpStream;
