// What a test can decide about the world of its module: time, answers to fetch, state, cache, secrets, environment.
import { native, promised, onSettled } from "tidegate:native";
import { responseFrom, FetchedRequest } from "tidegate:kit/messages";

native.need("kit");
const { kit } = native;

export const fakeClock = {
  // Moves on; timers that come due on the way run, in order.
  tick: (ms) => promised(kit.tick(Number(ms))),
  // Sets the wall clock; timers do not notice.
  set(time) {
    const ms = time instanceof Date ? time.getTime() : typeof time === "string" ? Date.parse(time) : Number(time);
    if (!Number.isFinite(ms)) throw new TypeError("fakeClock.set() needs a Date, a date as text, or milliseconds");
    kit.setTime(ms);
  },
  now: () => native.now(),
};

let answer = null;

function matches(key, method, url) {
  const [first, second] = key.split(" ");
  if (second !== undefined && first !== method) return false;
  const wanted = second ?? first;
  return wanted.endsWith("*") ? url.startsWith(wanted.slice(0, -1)) : wanted === url || `${wanted}/` === url;
}

function fromTable(table) {
  return (asked) => {
    const key = Object.keys(table).find((known) => matches(known, asked.method, asked.url));
    if (key === undefined) return undefined;
    return typeof table[key] === "function" ? table[key](asked) : table[key];
  };
}

// Answers every fetch of this test: a function of the request, or a table from "URL", "METHOD URL" or "URL…*" to answers.
export function fakeFetch(handler) {
  const act = typeof handler === "function" ? handler : fromTable(handler);
  const calls = [];
  answer = async (asked) => {
    calls.push(asked);
    return act(asked);
  };
  kit.serveFetch(true);
  return { calls };
}

// As the platform has it, where it has one.
function asRequest({ method, url, fields }, body) {
  const Request = globalThis.Request;
  if (typeof Request !== "function") return new FetchedRequest(method, url, fields.flat(), body);
  const hasBody = body.length > 0 && method !== "GET" && method !== "HEAD";
  return new Request(url, { method, headers: fields, ...(hasBody ? { body } : {}) });
}

async function serve(head) {
  try {
    const response = await answer(asRequest(head, kit.fetchBody(head.id)));
    if (response === undefined) throw new Error(`fakeFetch has no answer for ${head.method} ${head.url}`);
    if (response instanceof Error) throw response;
    const { status, fields, body } = await responseFrom(response);
    kit.respond(head.id, status, "", fields.flat(), body);
  } catch (error) {
    kit.refuse(head.id, String(error?.message ?? error));
  }
}

// Once for each test: an operation that is in flight ends with it.
export function serveFetches() {
  answer = null;
  const next = () => onSettled(kit.accept(), (head) => {
    next();
    serve(head);
  });
  next();
}

export const state = {
  collection(name, schema = undefined) {
    kit.writeState(0, "", "", JSON.stringify({ name, schema }));
  },
  put(collection, id, data) {
    if (native.readState(0, collection, "", 0, 0) === null) state.collection(collection);
    kit.writeState(2, collection, id, JSON.stringify(data));
  },
  delete: (collection, id) => void kit.writeState(3, collection, id, ""),
  get: (collection, id) => native.readState(1, collection, id, 0, 0)?.data,
  all: (collection) => native.readState(2, collection, "", 10000, 0).map(({ id, data }) => ({ id, data })),
};

const stored = (value) => (value === undefined || ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? value : JSON.stringify(value));

export const cache = {
  get: (key) => native.cacheGet(key),
  set: (key, value, ttlMs = -1) => native.cacheSet(key, stored(value), ttlMs),
  delete: (key) => native.cacheSet(key, undefined, -1),
};

const table = (put) => ({
  set(name, value) {
    if (typeof name === "object") for (const key of Object.keys(name)) put(key, String(name[key]));
    else put(name, String(value));
  },
  delete: (name) => put(name, undefined),
});

export const secrets = table(kit.secret);
export const env = table(kit.env);

// What the modules wrote to the console in this test: [{ level, module, text }].
export function logs(level = undefined) {
  const lines = JSON.parse(kit.console());
  return level === undefined ? lines : lines.filter((line) => line.level === level);
}
