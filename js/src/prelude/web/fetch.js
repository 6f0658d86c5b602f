// fetch (Fetch standard, section 5.6) over the host's single hop: redirects, abort and bodies are followed here.
import { native, promised, cancel, from, later, expose } from "tidegate:native";
import { Request, requestParts, receivedResponse } from "tidegate:web/message";
import { guarded, flatOf } from "tidegate:web/headers";
import { abortBody, isUnusable } from "tidegate:web/body";
import { URL } from "tidegate:url";
import { silence } from "tidegate:streams/promises";

const MAX_REDIRECTS = 20;
const REDIRECTS = { __proto__: null, 301: 1, 302: 1, 303: 1, 307: 1, 308: 1 };
// What one origin is told is not for another.
const SECRETS = ["authorization", "cookie", "proxy-authorization"];
const CONTENT = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];

const failed = (url, error) => new TypeError(`fetch of ${url} failed: ${error.message}`, { cause: error });

function targetOf(url) {
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`fetch: '${url.protocol}' is not supported, only http: and https: are`);
  const { href, hash } = url;
  return hash === "" ? href.replace(/#$/, "") : href.slice(0, -hash.length);
}

// One hop; gives what the host gives. An abort settles it at once.
function hop(url, method, headers, body, signal) {
  const { onAbort, offAbort } = signal === null ? { __proto__: null } : from("tidegate:abort", "abort");
  return new Promise((resolve, reject) => {
    const stream = body !== null && body.data === null ? body : null;
    const pipe = stream === null ? -1 : native.pipeOpen();
    let id;
    try {
      id = native.fetch(method, targetOf(url), flatOf(headers), body?.data ?? undefined, pipe, -1);
    } catch (error) {
      if (pipe >= 0) native.pipeFail(pipe, "the request was not sent");
      reject(failed(url.origin, error));
      return;
    }
    if (stream !== null) silence(from("tidegate:web/pump", "pump")(stream, pipe));
    const stop = (reason) => {
      cancel(id);
      if (pipe >= 0) native.pipeFail(pipe, "the request was aborted");
      reject(reason);
    };
    if (signal !== null) onAbort(signal, stop);
    promised(id).then((parts) => {
      if (signal !== null) offAbort(signal, stop);
      resolve(parts);
    }, (error) => {
      if (signal !== null) offAbort(signal, stop);
      reject(failed(url.origin, error));
    });
  });
}

async function follow(p) {
  let { url, method, headers, body } = p;
  const { signal } = p;
  for (let count = 0; ; count++) {
    const parts = await hop(url, method, headers, body, signal);
    const [status, , flat, stream] = parts;
    const location = status in REDIRECTS && p.redirect !== "manual" ? locationOf(flat) : null;
    if (location === null) {
      const { response, body: received } = receivedResponse(parts, targetOf(url), count > 0);
      if (signal !== null && received !== null) from("tidegate:abort", "abort").onAbort(signal, (reason) => abortBody(received, reason));
      return response;
    }
    native.streamCancel(stream);
    if (p.redirect === "error") throw new TypeError(`fetch: ${url.origin} redirects, and redirect is 'error'`);
    if (count >= MAX_REDIRECTS) throw new TypeError(`fetch: more than ${MAX_REDIRECTS} redirects`);
    let next;
    try {
      next = new URL(location, url.href);
    } catch (cause) {
      throw new TypeError(`fetch: ${url.origin} redirects to '${location}', which is no URL`, { cause });
    }
    if (next.hash === "") next.hash = url.hash;
    if (status !== 303 && body !== null && body.data === null) throw new TypeError("fetch: a body that is a stream cannot be sent again after a redirect");
    headers = guarded(headers, "none");
    if (((status === 301 || status === 302) && method === "POST") || (status === 303 && method !== "GET" && method !== "HEAD")) {
      method = "GET";
      body = null;
      for (const name of CONTENT) headers.delete(name);
    }
    if (next.origin !== url.origin) for (const name of SECRETS) headers.delete(name);
    url = next;
  }
}

function locationOf(flat) {
  for (let i = 0; i < flat.length; i += 2) if (flat[i].toLowerCase() === "location") return flat[i + 1];
  return null;
}

export async function fetch(input, init = undefined) {
  const request = new Request(input, init);
  const p = requestParts(request);
  if (p.signal !== null) p.signal.throwIfAborted();
  if (isUnusable(p.body)) throw new TypeError("fetch: the body has been read already, or is locked");
  targetOf(p.url);
  if (!p.headers.has("accept")) p.headers.set("Accept", "*/*");
  return follow(p);
}

later.fetch = fetch;
expose({ fetch });
