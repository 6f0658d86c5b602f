// TextDecoderStream and TextEncoderStream (Encoding standard, section 9).
import { expose } from "tidegate:native";
import { TextDecoder, TextEncoder } from "tidegate:encoding";
import { invoke, publish } from "tidegate:streams/promises";
import { setUp, give } from "tidegate:streams/transform";
import "tidegate:streams/main";

class TextDecoderStream {
  #decoder;
  #t;
  constructor(label = "utf-8", options = undefined) {
    const decoder = new TextDecoder(label, options);
    this.#decoder = decoder;
    const pass = (text) => {
      if (text !== "") give(this.#t, text);
    };
    this.#t = setUp({
      transform: (chunk) => invoke(() => {
        if (!ArrayBuffer.isView(chunk) && !(chunk instanceof ArrayBuffer)) throw new TypeError("a chunk must be an ArrayBuffer or a view of one");
        pass(decoder.decode(chunk, { stream: true }));
      }, undefined, []),
      flush: () => invoke(() => pass(decoder.decode()), undefined, []),
    });
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#t.readable; }
  get writable() { return this.#t.writable; }
}

class TextEncoderStream {
  #t;
  constructor() {
    const encoder = new TextEncoder();
    // The first half of a pair whose second half comes with the next chunk.
    let half = "";
    const encode = (chunk) => {
      const text = half + `${chunk}`;
      half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : "";
      const whole = half === "" ? text : text.slice(0, -1);
      if (whole !== "") give(this.#t, encoder.encode(whole));
    };
    this.#t = setUp({
      transform: (chunk) => invoke(encode, undefined, [chunk]),
      flush: () => invoke(() => {
        if (half !== "") give(this.#t, new Uint8Array([0xef, 0xbf, 0xbd]));
      }, undefined, []),
    });
  }
  get encoding() {
    void this.#t;
    return "utf-8";
  }
  get readable() { return this.#t.readable; }
  get writable() { return this.#t.writable; }
}

publish(TextDecoderStream, "TextDecoderStream", 0);
publish(TextEncoderStream, "TextEncoderStream", 0);

expose({ TextDecoderStream, TextEncoderStream });
