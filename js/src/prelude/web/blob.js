// Blob and File (File API, sections 3 and 4) and FormData (XHR standard, section 4), whole in memory.
import { native, bytes, from, later, expose } from "tidegate:native";
import { publish } from "tidegate:streams/promises";

let bytesOf;

export class Blob {
  #bytes;
  #type;
  static {
    bytesOf = (blob) => blob.#bytes;
  }
  constructor(parts = undefined, options = undefined) {
    const make = parts === undefined ? undefined : parts !== null && typeof parts === "object" ? parts[Symbol.iterator] : null;
    if (parts !== undefined && typeof make !== "function") throw new TypeError("Blob needs a list of parts");
    const list = make === undefined ? [] : { [Symbol.iterator]: () => Reflect.apply(make, parts, []) };
    // What the parts are is asked before the options are looked at.
    const given = [];
    for (const part of list) {
      given.push(part instanceof Blob || part instanceof ArrayBuffer || ArrayBuffer.isView(part) ? part : `${part}`);
    }
    if (options !== undefined && options !== null && typeof options !== "object" && typeof options !== "function") throw new TypeError("the options of Blob must be an object");
    const endings = options?.endings === undefined ? "transparent" : `${options.endings}`;
    if (endings !== "transparent" && endings !== "native") throw new TypeError("endings must be transparent or native");
    const type = options?.type === undefined ? "" : `${options.type}`;
    const chunks = [];
    for (const part of given) {
      if (typeof part === "string") chunks.push(native.utf8Encode(endings === "native" ? part.replace(/\r\n?/g, "\n") : part));
      else chunks.push(part instanceof Blob ? part.#bytes : viewOf(part));
    }
    this.#bytes = joined(chunks);
    this.#type = /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();
  }
  get size() { return this.#bytes.length; }
  get type() { return this.#type; }
  slice(start = 0, end = this.#bytes.length, type = "") {
    const part = new Blob([], { type });
    part.#bytes = this.#bytes.slice(start, end);
    return part;
  }
  async arrayBuffer() { return this.#bytes.slice().buffer; }
  async bytes() { return this.#bytes.slice(); }
  async text() { return native.utf8Decode(this.#bytes, false, false); }
  stream() {
    return from("tidegate:web/body", "streamOf")(this.#bytes);
  }
}

export class File extends Blob {
  #name;
  #lastModified;
  constructor(parts, name, options = undefined) {
    if (arguments.length < 2) throw new TypeError("File needs parts and a name");
    super(parts, options);
    this.#name = `${name}`.toWellFormed();
    this.#lastModified = options?.lastModified === undefined ? native.now() : Math.trunc(Number(options.lastModified)) || 0;
  }
  get name() { return this.#name; }
  get lastModified() { return this.#lastModified; }
}

// A Uint8Array over the bytes of a buffer or a view.
export function viewOf(data) {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : bytes(data);
}

// One array of all; it is always a copy.
export function joined(chunks) {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

export class FormData {
  #list = [];
  constructor(form = undefined) {
    if (form !== undefined) throw new TypeError("FormData: there are no forms here");
  }
  static #entry(name, value, filename) {
    const key = `${name}`.toWellFormed();
    if (!(value instanceof Blob)) {
      if (filename !== undefined) throw new TypeError("FormData: only a Blob has a file name");
      return [key, `${value}`.toWellFormed()];
    }
    if (value instanceof File && filename === undefined) return [key, value];
    return [key, new File([value], filename ?? "blob", { type: value.type })];
  }
  append(name, value, filename = undefined) {
    if (arguments.length < 2) throw new TypeError("append() needs a name and a value");
    this.#list.push(FormData.#entry(name, value, filename));
  }
  delete(name) { this.#list = this.#list.filter(([key]) => key !== `${name}`); }
  get(name) { return this.#list.find(([key]) => key === `${name}`)?.[1] ?? null; }
  getAll(name) { return this.#list.filter(([key]) => key === `${name}`).map(([, value]) => value); }
  has(name) { return this.#list.some(([key]) => key === `${name}`); }
  set(name, value, filename = undefined) {
    if (arguments.length < 2) throw new TypeError("set() needs a name and a value");
    const entry = FormData.#entry(name, value, filename);
    const at = this.#list.findIndex(([key]) => key === entry[0]);
    if (at < 0) this.#list.push(entry);
    else this.#list = this.#list.filter(([key], i) => i <= at || key !== entry[0]).with(at, entry);
  }
  forEach(each, self = undefined) { for (const [name, value] of this.#list) each.call(self, value, name, this); }
  *entries() { for (let i = 0; i < this.#list.length; i++) yield [...this.#list[i]]; }
  *keys() { for (let i = 0; i < this.#list.length; i++) yield this.#list[i][0]; }
  *values() { for (let i = 0; i < this.#list.length; i++) yield this.#list[i][1]; }
}

for (const [Kind, name] of [[Blob, "Blob"], [File, "File"], [FormData, "FormData"]]) publish(Kind, name);
Object.defineProperty(FormData.prototype, Symbol.iterator, { value: FormData.prototype.entries, writable: true, configurable: true });

const escaped = (text) => text.replace(/\r\n?|\n/g, "%0D%0A").replaceAll('"', "%22");

// A form as multipart/form-data (RFC 7578): its bytes and its type.
export function multipart(form) {
  const boundary = `----tidegate-${String(native.random()).slice(2)}${String(native.random()).slice(2)}`;
  const chunks = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"`;
    if (typeof value === "string") {
      chunks.push(native.utf8Encode(`${head}\r\n\r\n${value.replace(/\r\n?|\n/g, "\r\n")}\r\n`));
      continue;
    }
    head += `; filename="${escaped(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}`;
    chunks.push(native.utf8Encode(`${head}\r\n\r\n`), bytesOf(value), native.utf8Encode("\r\n"));
  }
  chunks.push(native.utf8Encode(`--${boundary}--\r\n`));
  return { data: joined(chunks), type: `multipart/form-data; boundary=${boundary}` };
}

// A character per byte.
function latin(data) {
  native.need("encoding");
  return native.decoder("windows-1252", false, true).push(data, true);
}

// The parts of such a body.
export function parseMultipart(data, boundary) {
  const text = latin(data);
  const refuse = () => new TypeError("formData(): the body is no valid multipart/form-data");
  const form = new FormData();
  const mark = `--${boundary}`;
  let at = text.indexOf(mark);
  if (at < 0) throw refuse();
  for (;;) {
    at += mark.length;
    if (text.startsWith("--", at)) return form;
    if (!text.startsWith("\r\n", at)) throw refuse();
    const body = text.indexOf("\r\n\r\n", at);
    const end = text.indexOf(`\r\n${mark}`, body);
    if (body < 0 || end < 0) throw refuse();
    const head = native.utf8Decode(data.subarray(at + 2, body), false, true);
    const name = /^content-disposition:\s*form-data\s*;.*?\bname="([^"]*)"/im.exec(head)?.[1];
    if (name === undefined) throw refuse();
    const filename = /\bfilename="([^"]*)"/i.exec(head)?.[1];
    const content = data.slice(body + 4, end);
    const plain = (part) => part.replaceAll("%0D%0A", "\r\n").replaceAll("%22", '"');
    if (filename === undefined) form.append(plain(name), native.utf8Decode(content, false, false));
    else {
      const type = /^content-type:\s*(\S.*)$/im.exec(head)?.[1].trim() ?? "text/plain";
      form.append(plain(name), new File([content], plain(filename), { type }));
    }
    at = end + 2;
  }
}

// What structuredClone makes of one.
function copy(blob) {
  const { type } = blob;
  return blob instanceof File ? new File([blob], blob.name, { type, lastModified: blob.lastModified }) : new Blob([blob], { type });
}

export { bytesOf };
later.blobs = { Blob, File, FormData, bytesOf, copy, multipart, parseMultipart };
expose({ Blob, File, FormData });
