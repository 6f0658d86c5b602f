// ctx.response(): the response that a handler writes.
import { admit, native, later, from } from "tidegate:native";
import { Headers, jsonText, writeBody } from "tidegate:context";

const { fieldSet, fieldAdd, fieldHas, fieldValues, status } = native;
const REQUEST = 0;
const RESPONSE = 2;
const cookies = () => from("tidegate:cookies", "cookies");

class Response {
  #g;
  #headers;
  locals = { __proto__: null };
  constructor(g) {
    this.#g = g;
  }
  #open() {
    if (native.ended(this.#g)) throw new Error("the response has been sent already: nothing can be written to it");
  }
  get headers() { return (this.#headers ??= new Headers(this.#g << 2 | RESPONSE)); }
  get headersSent() { return native.ended(this.#g); }
  get statusCode() { return status(this.#g << 2 | RESPONSE); }
  set statusCode(code) { this.status(code); }
  status(code) {
    this.#open();
    native.setStatus(this.#g, RESPONSE, code);
    return this;
  }
  #type(type) {
    if (!fieldHas(this.#g << 2 | RESPONSE, "Content-Type")) fieldSet(this.#g << 2 | RESPONSE, "Content-Type", type);
  }
  json(value) {
    const text = jsonText(value);
    this.#open();
    fieldSet(this.#g << 2 | RESPONSE, "Content-Type", "application/json");
    native.writeBody(this.#g, RESPONSE, text);
    native.endResponse(this.#g);
  }
  send(data) { this.end(data); }
  end(data) {
    this.#open();
    if (data !== undefined && data !== null) {
      const text = typeof data === "string";
      const stream = !text && later.readable?.isReadable(data);
      if (!text && !stream && !ArrayBuffer.isView(data) && !(data instanceof ArrayBuffer)) {
        throw new TypeError("the body must be a string, an ArrayBuffer, a typed array or a ReadableStream; for objects there is json()");
      }
      writeBody(this.#g, RESPONSE, data);
      if (!text) this.#type("application/octet-stream");
      else this.#type(/^\s*<(!doctype html|html|head|body)\b/i.test(data) ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
    }
    native.endResponse(this.#g);
  }
  #redirect(url, code) {
    this.#open();
    fieldSet(this.#g << 2 | RESPONSE, "Location", url);
    native.setStatus(this.#g, RESPONSE, code);
    native.endResponse(this.#g);
  }
  redirect(url, code = 307) { this.#redirect(url, code); }
  redirectPermanent(url) { this.#redirect(url, 301); }
  location(url) {
    this.#open();
    fieldSet(this.#g << 2 | RESPONSE, "Location", url);
    return this;
  }
  cookie(name, value, options) {
    this.#open();
    fieldAdd(this.#g << 2 | RESPONSE, "Set-Cookie", cookies().writeCookie(name, value, options));
    return this;
  }
  getCookies() { return cookies().parseCookies(fieldValues(this.#g, REQUEST, "Cookie")); }
  getCookie(name) {
    const value = typeof name === "string" ? native.cookie(this.#g, name) : undefined;
    return value === undefined ? null : { name, value };
  }
  toJSON() {
    const { headers, headersSent, locals, statusCode } = this;
    return { headers, headersSent, locals, statusCode };
  }
}

admit(Response);
later.Response = Response;
