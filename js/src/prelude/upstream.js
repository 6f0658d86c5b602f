// ctx.upstream(): the upstream's response, for a responseModifier.
import { admit, native, later, from } from "tidegate:native";
import { Headers, jsonText, readBody, readJson, writeBody } from "tidegate:context";

const { fieldSet, fieldValues, status } = native;
const UPSTREAM = 1;
const parts = () => from("tidegate:parts", "parts");

class Upstream {
  #g;
  #headers;
  #ctx;
  constructor(g, ctx) {
    this.#g = g;
    this.#ctx = ctx;
  }
  get headers() { return (this.#headers ??= new Headers(this.#g << 2 | UPSTREAM)); }
  get statusCode() { return status(this.#g << 2 | UPSTREAM); }
  set statusCode(code) { native.setStatus(this.#g, UPSTREAM, code); }
  get statusText() { return parts().phrase(this.statusCode); }
  get trailer() { return parts().trailer(this.#g); }
  get protocol() { return native.protocol(this.#g); }
  get contentLength() { return native.contentLength(this.#g, UPSTREAM); }
  get body() { return from("tidegate:bodies", "bodies").takeBody(this.#g, UPSTREAM); }
  async readBody() { return readBody(this.#g, UPSTREAM); }
  async readJson() { return readJson(this.#g, UPSTREAM); }
  async readText() { return native.utf8Decode(await this.readBody(), false, false); }
  writeBody(data) { writeBody(this.#g, UPSTREAM, data); }
  writeJson(value) {
    writeBody(this.#g, UPSTREAM, jsonText(value));
    fieldSet(this.#g << 2 | UPSTREAM, "Content-Type", "application/json");
  }
  status(code) {
    native.setStatus(this.#g, UPSTREAM, code);
    return this;
  }
  #redirect(url, code) {
    fieldSet(this.#g << 2 | UPSTREAM, "Location", url);
    native.setStatus(this.#g, UPSTREAM, code);
    native.writeBody(this.#g, UPSTREAM, "");
  }
  redirect(url) { this.#redirect(url, 307); }
  redirectPermanent(url) { this.#redirect(url, 301); }
  query() { return this.#ctx.request().query; }
  cookie() { return fieldValues(this.#g, UPSTREAM, "Set-Cookie").map(from("tidegate:cookies", "cookies").parseSetCookie); }
  toJSON() {
    const { headers, statusCode, statusText, trailer, protocol, contentLength } = this;
    return { headers, statusCode, statusText, trailer, protocol, contentLength };
  }
}

admit(Upstream);
later.Upstream = Upstream;
