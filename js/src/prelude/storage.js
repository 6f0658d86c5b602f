// `import … from "dgate/storage"`: the cache of the module's namespace. Values have a JSON form or are bytes, and each
// read gives a copy of its own.
//
// getCache, setCache, hasCache and deleteCache do not wait. What is written is seen at once on the shard that runs the
// module, and by the others of the node within about a millisecond; of several writes to a key the last in the order of
// the key's owner stays. A value may be forgotten early: when room is short, or a shard cannot follow; where one cannot
// follow at all setCache throws. increment and compareAndSet are exact over all shards of the node, what they wrote stays
// until its ttl ends or somebody else writes, and with readCache they are linearizable. Of scope "node" nothing outlives
// the process. Scope "cluster" is a store of its own for small values, kept in the replicated log and exact over all
// nodes; only the three that wait reach it, and each increment and comparison costs a write to the log.
import { admit, native, promised, bytes } from "tidegate:native";

native.need("storage");

const { stringify } = JSON;
const { isView } = ArrayBuffer;
const { ceil } = Math;
const Buffer = ArrayBuffer;

function named(id) {
  if (typeof id !== "string" || id === "") throw new TypeError("the id of a cached value must be a text that is not empty");
  return id;
}

// null and undefined are no value.
function stored(value) {
  if (value === undefined || value === null) return undefined;
  if (isView(value) || value instanceof Buffer) return bytes(value);
  const text = stringify(value);
  if (text === undefined) throw new TypeError(`a ${typeof value} cannot be cached: it has no JSON form`);
  return text;
}

// Seconds to milliseconds; -1 means for as long as there is room.
function lifetime(options) {
  const ttl = options?.ttl;
  if (ttl === undefined || ttl === null) return -1;
  if (typeof ttl !== "number" || !(ttl > 0)) throw new TypeError("ttl must be a number of seconds greater than 0");
  return ceil(ttl * 1000);
}

function inCluster(options) {
  const scope = options?.scope ?? "node";
  if (scope !== "node" && scope !== "cluster") throw new TypeError("scope must be 'node' or 'cluster'");
  return scope === "cluster";
}

// The value as this shard knows it, or null.
export function getCache(id) {
  return native.cacheGet(named(id)) ?? null;
}

// Without a ttl (seconds) the value stays until room is needed. null deletes.
export function setCache(id, value, options) {
  native.cacheSet(named(id), stored(value), lifetime(options));
}

export function deleteCache(id) {
  native.cacheSet(named(id), undefined, -1);
}

export function hasCache(id) {
  return native.cacheHas(named(id));
}

// Adds a whole number and gives the sum. The ttl counts from the first increment.
export async function increment(id, by = 1, options = undefined) {
  return promised(native.cacheIncrement(inCluster(options), named(id), Number(by), lifetime(options)));
}

// Writes the value (null: deletes it) if the present one has the same JSON text or bytes as `expected` (null: if there
// is none). Gives whether it did.
export async function compareAndSet(id, expected, value, options) {
  const [before, after] = [stored(expected), stored(value)];
  return promised(native.cacheCompareAndSet(inCluster(options), named(id), before, after, lifetime(options)));
}

// The value after all writes that were answered before, or null.
export async function readCache(id, options) {
  return (await promised(native.cacheRead(inCluster(options), named(id)))) ?? null;
}

const all = { getCache, setCache, deleteCache, hasCache, increment, compareAndSet, readCache };

admit(all);
export default all;
