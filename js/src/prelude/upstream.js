// ctx.upstream(): the upstream's response, for a responseModifier.
import { admit, native, from } from "tidegate:native";
import { jsonText, queryOf, readBody, readJson, writeBody } from "tidegate:context";

const { lease: leaseOf, fieldSet, fieldValues, status } = native;
const UPSTREAM = 1;
const parts = () => from("tidegate:parts", "parts");

function redirect(g, url, code) {
  fieldSet(g << 2 | UPSTREAM, "Location", url);
  native.setStatus(g, UPSTREAM, code);
  native.writeBody(g, UPSTREAM, "");
}

class Upstream {
  constructor() { throw new TypeError("these objects are the gateway's to make"); }
  get statusCode() { return status(leaseOf(this) << 2 | UPSTREAM); }
  set statusCode(code) { native.setStatus(leaseOf(this), UPSTREAM, code); }
  get statusText() { return parts().phrase(this.statusCode); }
  get trailer() { return parts().trailer(leaseOf(this)); }
  get protocol() { return native.protocol(leaseOf(this)); }
  get contentLength() { return native.contentLength(leaseOf(this), UPSTREAM); }
  get body() { return from("tidegate:bodies", "bodies").takeBody(leaseOf(this), UPSTREAM); }
  async readBody() { return readBody(leaseOf(this), UPSTREAM); }
  async readJson() { return readJson(leaseOf(this), UPSTREAM); }
  async readText() { return native.utf8Decode(await this.readBody(), false, false); }
  writeBody(data) { writeBody(leaseOf(this), UPSTREAM, data); }
  writeJson(value) {
    writeBody(leaseOf(this), UPSTREAM, jsonText(value));
    fieldSet(leaseOf(this) << 2 | UPSTREAM, "Content-Type", "application/json");
  }
  status(code) {
    native.setStatus(leaseOf(this), UPSTREAM, code);
    return this;
  }
  redirect(url) { redirect(leaseOf(this), url, 307); }
  redirectPermanent(url) { redirect(leaseOf(this), url, 301); }
  query() { return queryOf(leaseOf(this)); }
  cookie() { return fieldValues(leaseOf(this), UPSTREAM, "Set-Cookie").map(from("tidegate:cookies", "cookies").parseSetCookie); }
  toJSON() {
    const { headers, statusCode, statusText, trailer, protocol, contentLength } = this;
    return { headers, statusCode, statusText, trailer, protocol, contentLength };
  }
}

native.shape("Upstream", Upstream.prototype);
admit(Upstream);
