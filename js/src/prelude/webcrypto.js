// crypto and CryptoKey (Web Cryptography API). A key's bytes are in the host; what is here is a handle that no
// module can reach into. Operations are done when their promise is given, and count against the call's CPU time.
import { admit, native, later, expose, inspect } from "tidegate:native";
import { DOMException } from "tidegate:exception";
import { normalize, octets, usages, format, jwk, keyLength, bitCount } from "tidegate:algorithms";

native.need("hashes");
native.need("webcrypto");

const subtleNatives = native.webcrypto;
const { isView } = ArrayBuffer;
const { parse, stringify } = JSON;
const { freeze, defineProperty } = Object;
const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
const MAX_RANDOM = 65536;

const REFUSALS = [
  "DataError", "InvalidAccessError", "NotSupportedError", "OperationError", "QuotaExceededError", "SyntaxError",
];

// Calls a native; its refusals are errors with a name, and become what the standard has for them.
function call(operation, ...values) {
  try {
    return subtleNatives[operation](...values);
  } catch (error) {
    throw refusal(error);
  }
}

function refusal(error) {
  const { name, message } = error;
  return REFUSALS.includes(name) ? new DOMException(message, name) : error;
}

const token = {};
let handleOf, duplicate;

function frozen(shown) {
  const { algorithm, usages } = shown;
  const exponent = algorithm.publicExponent;
  if (exponent !== undefined) {
    // Bytes cannot be frozen; each look gets its own.
    const get = () => new Uint8Array(exponent);
    defineProperty(algorithm, "publicExponent", { get, enumerable: true, configurable: false });
  }
  if (algorithm.hash !== undefined) freeze(algorithm.hash);
  freeze(algorithm);
  freeze(usages);
  return shown;
}

class CryptoKey {
  #handle;
  #shown;
  constructor(given, handle) {
    if (given !== token) throw new TypeError("keys are made by crypto.subtle.generateKey() and importKey()");
    this.#handle = handle;
  }
  // Made when it is first asked for, the same from then on, and not to be written: requests may share a key.
  get #says() { return (this.#shown ??= frozen(subtleNatives.describe(this.#handle))); }
  static {
    handleOf = (key) => {
      if (typeof key !== "object" || key === null || !(#handle in key)) throw new TypeError("expected a CryptoKey");
      return key.#handle;
    };
    duplicate = (key) => (#handle in key ? new CryptoKey(token, key.#handle) : undefined);
  }
  get type() { return this.#says.type; }
  get extractable() { return this.#says.extractable; }
  get algorithm() { return this.#says.algorithm; }
  get usages() { return this.#says.usages; }
  get [Symbol.toStringTag]() { return "CryptoKey"; }
  // What console shows.
  [inspect]() {
    const { type, extractable, algorithm, usages } = this.#says;
    return { type, extractable, algorithm, usages };
  }
}

const shown = (handle) => new CryptoKey(token, handle);

function imported(form, data, algorithm, extractable, wanted) {
  return shown(call("importKey", form, data, algorithm, Boolean(extractable), wanted));
}

class SubtleCrypto {
  async digest(algorithm, data) {
    return call("digest", normalize("digest", algorithm).name, octets(data));
  }
  async generateKey(algorithm, extractable, keyUsages) {
    const normal = normalize("generateKey", algorithm);
    const made = call("generateKey", normal, Boolean(extractable), usages(keyUsages));
    if (!Array.isArray(made)) return shown(made);
    return { privateKey: shown(made[0]), publicKey: shown(made[1]) };
  }
  async importKey(keyFormat, keyData, algorithm, extractable, keyUsages) {
    const form = format(keyFormat);
    const data = form === "jwk" ? jwk(keyData) : octets(keyData);
    return imported(form, data, normalize("importKey", algorithm), extractable, usages(keyUsages));
  }
  async exportKey(keyFormat, key) {
    return call("exportKey", format(keyFormat), handleOf(key));
  }
  async sign(algorithm, key, data) {
    return call("sign", normalize("sign", algorithm), handleOf(key), octets(data));
  }
  async verify(algorithm, key, signature, data) {
    const normal = normalize("verify", algorithm);
    return call("verify", normal, handleOf(key), octets(signature), octets(data));
  }
  async encrypt(algorithm, key, data) {
    return call("encrypt", normalize("encrypt", algorithm), handleOf(key), octets(data));
  }
  async decrypt(algorithm, key, data) {
    return call("decrypt", normalize("decrypt", algorithm), handleOf(key), octets(data));
  }
  async wrapKey(keyFormat, key, wrappingKey, wrapAlgorithm) {
    const form = format(keyFormat);
    const normal = normalize("wrapKey", wrapAlgorithm);
    const exported = call("exportKey", form, handleOf(key));
    return call("wrap", normal, handleOf(wrappingKey), form === "jwk" ? stringify(exported) : exported);
  }
  async unwrapKey(keyFormat, wrappedKey, unwrappingKey, unwrapAlgorithm, keyAlgorithm, extractable, keyUsages) {
    const form = format(keyFormat);
    const normal = normalize("unwrapKey", unwrapAlgorithm);
    const key = normalize("importKey", keyAlgorithm);
    const wanted = usages(keyUsages);
    const data = call("unwrap", normal, handleOf(unwrappingKey), octets(wrappedKey));
    if (form !== "jwk") return imported(form, data, key, extractable, wanted);
    let object;
    try {
      object = jwk(parse(call("text", data)));
    } catch {
      throw new DOMException("what was unwrapped is no JSON web key", "DataError");
    }
    return imported(form, object, key, extractable, wanted);
  }
  async deriveBits(algorithm, baseKey, length) {
    return call("deriveBits", normalize("deriveBits", algorithm), handleOf(baseKey), bitCount(length));
  }
  async deriveKey(algorithm, baseKey, derivedKeyType, extractable, keyUsages) {
    const normal = normalize("deriveKey", algorithm);
    const bits = keyLength(normalize("derivedKey", derivedKeyType));
    const key = normalize("importKey", derivedKeyType);
    const wanted = usages(keyUsages);
    return imported("raw", call("deriveKey", normal, handleOf(baseKey), bits), key, extractable, wanted);
  }
  get [Symbol.toStringTag]() { return "SubtleCrypto"; }
}

const subtle = new SubtleCrypto();

class Crypto {
  get subtle() { return subtle; }
  getRandomValues(array) {
    const tag = isView(array) ? tagOf.call(array) : undefined;
    if (tag === undefined && !isView(array)) throw new TypeError("getRandomValues() needs a typed array of integers");
    if (tag === undefined || tag.startsWith("Float")) {
      throw new DOMException("getRandomValues() fills typed arrays of integers", "TypeMismatchError");
    }
    const size = array.byteLength;
    if (size > MAX_RANDOM) {
      throw new DOMException(`getRandomValues() fills ${MAX_RANDOM} bytes at most, not ${size}`, "QuotaExceededError");
    }
    const target = new Uint8Array(array.buffer, array.byteOffset, size);
    if (size > 0) target.set(new Uint8Array(native.randomBytes(size)));
    return array;
  }
  randomUUID() {
    return native.randomUUID();
  }
  get [Symbol.toStringTag]() { return "Crypto"; }
}

export const crypto = new Crypto();
export { CryptoKey };

// For the prelude: the same without promises. importKey gives keys that cannot be exported.
export const isKey = (value) => value instanceof CryptoKey;
export const importKey = (form, data, algorithm, usage) =>
  imported(form, form === "jwk" ? jwk(data) : data, normalize("importKey", algorithm), false, [usage]);
export const sign = (algorithm, key, data) => call("sign", algorithm, handleOf(key), data);
export const { decodeBase64Url, encodeBase64Url, tokenPart, kept, verifyKept } = subtleNatives;

const { verifyToken: verifyNative, keep: keepNative } = subtleNatives;

// The place of a key that came as a text; `key` is its CryptoKey, if the text was a secret.
export const keep = (text, asked, signs, key) => keepNative(text, asked, signs, key === undefined ? undefined : handleOf(key));

// True or false, or a number: what is wrong with the token.
export function verifyToken(alg, key, token) {
  try {
    return verifyNative(alg, handleOf(key), token);
  } catch (error) {
    throw refusal(error);
  }
}

// For structuredClone: another object for the same key.
later.cloneKey = duplicate;
admit(subtle, SubtleCrypto, Crypto);
expose({ crypto, CryptoKey });
