// `import { readWriteBody } from "dgate/util"`.
import { admit } from "tidegate:native";

// Reads the body of `message` (ctx.request() or ctx.upstream()) as text, gives it to the callback, and writes what
// that gives. Resolves with what was written.
export async function readWriteBody(message, callback) {
  if (typeof message?.readText !== "function") throw new TypeError("readWriteBody() needs ctx.request() or ctx.upstream()");
  if (typeof callback !== "function") throw new TypeError("readWriteBody() needs a function as its second argument");
  const written = await callback(await message.readText());
  if (written !== undefined) message.writeBody(written);
  return written;
}

const all = { readWriteBody };
admit(all, readWriteBody);
export default all;
