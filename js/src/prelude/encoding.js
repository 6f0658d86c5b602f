// Text and bytes: TextEncoder and TextDecoder (Encoding standard, sections 7 and 8), atob and btoa (Infra, 8).
// The tables and the decoders are the host's.
import { native, bytes, from, expose } from "tidegate:native";
import { publish } from "tidegate:streams/promises";

native.need("encoding");

function invalid(message) {
  const DOMException = from("tidegate:exception", "DOMException");
  return new DOMException(message, "InvalidCharacterError");
}

export function atob(text) {
  if (arguments.length === 0) throw new TypeError("atob needs a text");
  const decoded = native.atob(text);
  if (decoded === undefined) throw invalid("atob: the text is not valid base64");
  return decoded;
}

export function btoa(text) {
  if (arguments.length === 0) throw new TypeError("btoa needs a text");
  const encoded = native.btoa(text);
  if (encoded === undefined) throw invalid("btoa: the text has a character above U+00FF");
  return encoded;
}

export class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return native.utf8Encode(text); }
  encodeInto(text, target) {
    if (!(target instanceof Uint8Array)) throw new TypeError("encodeInto() needs a Uint8Array to write to");
    const all = native.utf8Encode(text);
    let end = Math.min(all.length, target.length);
    // Not in the middle of a character.
    while (end < all.length && (all[end] & 0xc0) === 0x80) end--;
    target.set(end < all.length ? all.subarray(0, end) : all);
    let read = 0;
    for (let i = 0; i < end; i++) if ((all[i] & 0xc0) !== 0x80) read += all[i] >= 0xf0 ? 2 : 1;
    return { read, written: end };
  }
}

export class TextDecoder {
  #name;
  #fatal;
  #ignoreBOM;
  // The decoder of a text that is under way.
  #running = null;
  constructor(label = "utf-8", options = undefined) {
    const name = native.encodingName(label);
    if (name === undefined) throw new RangeError(`unknown encoding '${label}'`);
    this.#name = name;
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBOM = Boolean(options?.ignoreBOM);
  }
  get encoding() { return this.#name; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }
  decode(data = undefined, options = undefined) {
    const stream = Boolean(options?.stream);
    if (data !== undefined && !ArrayBuffer.isView(data) && !(data instanceof ArrayBuffer)) {
      throw new TypeError("decode() needs an ArrayBuffer or a view of one");
    }
    const input = data === undefined ? new Uint8Array(0) : bytes(data);
    if (this.#running === null && !stream && this.#name === "utf-8") {
      return native.utf8Decode(input, this.#fatal, this.#ignoreBOM);
    }
    const decoder = (this.#running ??= native.decoder(this.#name, this.#fatal, this.#ignoreBOM));
    this.#running = null;
    // What throws here leaves a decoder that begins anew.
    const text = decoder.push(input, !stream);
    if (stream) this.#running = decoder;
    return text;
  }
}

publish(TextEncoder, "TextEncoder", 0);
publish(TextDecoder, "TextDecoder", 0);

expose({ atob, btoa, TextEncoder, TextDecoder });
