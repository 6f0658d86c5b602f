// Bodies of the exchange as streams, read and written.
import { native, later, from } from "tidegate:native";
import { at, pumps, taken } from "tidegate:context";

const { part, fields } = native;
const REQUEST = 0;
const QUERY = 2;
const SCHEME = 6;

// Bodies that are written piece by piece go on after the function that began them has returned.
async function pumped(running) {
  let failure;
  while (running.length > 0) {
    try {
      await running.shift();
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
}

function writeStream(g, side, stream) {
  const pump = from("tidegate:web/pump", "pumpStream");
  if (stream.locked) throw new TypeError("the stream of the body is locked to a reader");
  const pipe = native.pipeOpen();
  try {
    native.writeBodyPipe(g, side, pipe);
  } catch (error) {
    native.pipeFail(pipe, "the body was refused");
    throw error;
  }
  const running = pump(stream, pipe);
  at(g);
  running.catch(() => {});
  pumps.push(running);
}

function takeBody(g, side) {
  at(g);
  const { hostStream } = from("tidegate:web/body", "bodyStreams");
  return (taken[side] ??= hostStream(native.bodyStream(g, side)));
}

function toRequest(g, request) {
  const { clientRequest } = from("tidegate:web/message", "messages");
  const { lateBody } = from("tidegate:web/body", "bodyStreams");
  const { method } = request;
  const search = part(g << 2, QUERY);
  const url = `${part(g << 2, SCHEME)}://${request.host || "localhost"}${request.path}${search === "" ? "" : `?${search}`}`;
  const body = method === "GET" || method === "HEAD" ? null : lateBody(() => native.bodyStream(g, REQUEST));
  return clientRequest(url, method, fields(g, REQUEST), body);
}

later.bodies = { pumped, writeStream, takeBody, toRequest };
