// `import { fetch } from "dgate/http"`: the global fetch under DGate's option names.
import { native, from, later, admit } from "tidegate:native";

// Beside the global's options: redirects, 'follow', 'error' or 'manual'. The response has _debug_time, the
// milliseconds until its head was there.
export async function fetch(url, options = {}) {
  const { redirects, ...init } = options ?? {};
  if (redirects !== undefined) init.redirect = redirects;
  const begun = native.monotonic();
  const response = await from("tidegate:web/fetch", "fetch")(url, init);
  Object.defineProperty(response, "_debug_time", { value: native.monotonic() - begun, configurable: true });
  return response;
}

const all = { fetch };
admit(all, fetch);
later.http = all;
export default all;
