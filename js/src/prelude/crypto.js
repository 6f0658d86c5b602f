// `import … from "dgate/crypto"`. Encodings: hex, base64, base64raw, base64url, base64rawurl; none gives an
// ArrayBuffer.
import { admit, native, bytes, from } from "tidegate:native";

native.need("hashes");

export function createHash(algorithm) {
  return native.createHash(algorithm);
}

export function createHmac(algorithm, key) {
  return native.createHmac(algorithm, bytes(key));
}

export function hmac(algorithm, key, data, encoding) {
  return createHmac(algorithm, key).update(bytes(data)).digest(encoding);
}

const hash = (algorithm) => (data, encoding) => native.createHash(algorithm).update(bytes(data)).digest(encoding);

export const md5 = hash("md5");
export const sha1 = hash("sha1");
export const sha256 = hash("sha256");
export const sha384 = hash("sha384");
export const sha512 = hash("sha512");
export const sha512_224 = hash("sha512-224");
export const sha512_256 = hash("sha512-256");

export function randomBytes(size) {
  return native.randomBytes(size);
}

export function randomInt(a, b) {
  return b === undefined ? native.randomInt(0, Number(a)) : native.randomInt(Number(a), Number(b));
}

export function randomUUID() {
  return native.randomUUID();
}

export function hexEncode(data) {
  return native.encode(bytes(data), "hex");
}

export function getHashes() {
  return native.getHashes();
}

// True if both are the same bytes (texts as UTF-8), in a time that does not depend on where they differ. Different
// lengths are false, not an error: what a client sends may have any length.
export function timingSafeEqual(a, b) {
  return native.timingSafeEqual(bytes(a), bytes(b));
}

// JSON web tokens and signatures; see jwt.js.
let loaded;
const jwt = () => (loaded ??= from("tidegate:jwt", "jwt"));

// A function that is not async itself gives its promise for less.
const { resolved } = native;
const rejected = async (error) => {
  throw error;
};

export function verifyJwt(token, key, options) {
  try {
    return resolved(jwt().verifyJwt(token, key, options));
  } catch (error) {
    return rejected(error);
  }
}

export function verifyJws(token, key, options) {
  try {
    return resolved(jwt().verifyJws(token, key, options));
  } catch (error) {
    return rejected(error);
  }
}

export async function signJwt(claims, key, options) {
  return jwt().signJwt(claims, key, options);
}

const all = {
  createHash, createHmac, hmac, md5, sha1, sha256, sha384, sha512, sha512_224, sha512_256, randomBytes, randomInt,
  randomUUID, hexEncode, getHashes, timingSafeEqual, verifyJwt, verifyJws, signJwt,
};

// The class of hashes is known to nothing else.
admit(all, ...Object.values(all), Object.getPrototypeOf(native.createHash("sha1")));
export default all;
