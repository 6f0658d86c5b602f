// A Response that a function of the module returned becomes the exchange's: status, fields, body, and its end.
import { native, later } from "tidegate:native";
import { flatOf } from "tidegate:web/headers";
import { isUnusable, asStream } from "tidegate:web/body";
import { responseParts } from "tidegate:web/message";

const RESPONSE = 2;
const { fieldSet, fieldAdd } = native;

// The gateway's own, whatever a response says that was fetched from elsewhere.
const FRAMING = {
  __proto__: null, connection: 1, "content-length": 1, "transfer-encoding": 1, "keep-alive": 1, "proxy-connection": 1,
  upgrade: 1, te: 1, trailer: 1,
};

function answer(g, value, writeStream) {
  const p = responseParts(value);
  if (p === null) return;
  if (p.type === "error") throw new TypeError("the function returned Response.error(): it has nothing to send");
  if (native.ended(g)) throw new Error("the response has been sent already: the Response that was returned cannot be");
  if (isUnusable(p.body)) throw new TypeError("the body of the Response that was returned has been read already, or is locked");
  native.setStatus(g, RESPONSE, p.status);
  const flat = flatOf(p.headers);
  const seen = { __proto__: null };
  for (let i = 0; i < flat.length; i += 2) {
    const lower = flat[i].toLowerCase();
    if (lower in FRAMING) continue;
    if (lower in seen) fieldAdd(g << 2 | RESPONSE, flat[i], flat[i + 1]);
    else fieldSet(g << 2 | RESPONSE, flat[i], flat[i + 1]);
    seen[lower] = true;
  }
  const { body } = p;
  if (body !== null) {
    if (body.data !== null) native.writeBody(g, RESPONSE, body.data);
    // The host's own stream goes on without JavaScript.
    else if (body.stream === null && body.open === null && body.failure === undefined) native.passBody(g, RESPONSE, body.host);
    else writeStream(g, RESPONSE, asStream(body));
    body.used = true;
  }
  native.endResponse(g);
}

later.answer = answer;
