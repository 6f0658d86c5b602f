// ctx.response(): the response that a handler writes.
import { admit, native, later, from } from "tidegate:native";
import { jsonText, localsOf, writeBody } from "tidegate:context";

const { lease: leaseOf, fieldSet, fieldAdd, fieldHas, fieldValues, status } = native;
const REQUEST = 0;
const RESPONSE = 2;
const cookies = () => from("tidegate:cookies", "cookies");

function open(response) {
  const g = leaseOf(response);
  if (native.ended(g)) throw new Error("the response has been sent already: nothing can be written to it");
  return g;
}

function typed(g, type) {
  if (!fieldHas(g << 2 | RESPONSE, "Content-Type")) fieldSet(g << 2 | RESPONSE, "Content-Type", type);
}

function redirect(response, url, code) {
  const g = open(response);
  fieldSet(g << 2 | RESPONSE, "Location", url);
  native.setStatus(g, RESPONSE, code);
  native.endResponse(g);
}

class Response {
  constructor() { throw new TypeError("these objects are the gateway's to make"); }
  get locals() { return localsOf(leaseOf(this)); }
  set locals(value) { localsOf(leaseOf(this), value); }
  get headersSent() { return native.ended(leaseOf(this)); }
  get statusCode() { return status(leaseOf(this) << 2 | RESPONSE); }
  set statusCode(code) { this.status(code); }
  status(code) {
    const g = open(this);
    native.setStatus(g, RESPONSE, code);
    return this;
  }
  json(value) {
    const text = jsonText(value);
    const g = open(this);
    fieldSet(g << 2 | RESPONSE, "Content-Type", "application/json");
    native.writeBody(g, RESPONSE, text);
    native.endResponse(g);
  }
  send(data) { this.end(data); }
  end(data) {
    const g = open(this);
    if (data !== undefined && data !== null) {
      const text = typeof data === "string";
      const stream = !text && later.readable?.isReadable(data);
      if (!text && !stream && !ArrayBuffer.isView(data) && !(data instanceof ArrayBuffer)) {
        throw new TypeError("the body must be a string, an ArrayBuffer, a typed array or a ReadableStream; for objects there is json()");
      }
      writeBody(g, RESPONSE, data);
      if (!text) typed(g, "application/octet-stream");
      else typed(g, /^\s*<(!doctype html|html|head|body)\b/i.test(data) ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
    }
    native.endResponse(g);
  }
  redirect(url, code = 307) { redirect(this, url, code); }
  redirectPermanent(url) { redirect(this, url, 301); }
  location(url) {
    const g = open(this);
    fieldSet(g << 2 | RESPONSE, "Location", url);
    return this;
  }
  cookie(name, value, options) {
    const g = open(this);
    fieldAdd(g << 2 | RESPONSE, "Set-Cookie", cookies().writeCookie(name, value, options));
    return this;
  }
  getCookies() { return cookies().parseCookies(fieldValues(leaseOf(this), REQUEST, "Cookie")); }
  getCookie(name) {
    const value = typeof name === "string" ? native.cookie(leaseOf(this), name) : undefined;
    return value === undefined ? null : { name, value };
  }
  toJSON() {
    const { headers, headersSent, locals, statusCode } = this;
    return { headers, headersSent, locals, statusCode };
  }
}

native.shape("Response", Response.prototype);
admit(Response);
