// run(module, request, …): one request through all functions of a module, or of several, in the gateway's order. Each function has the
// budget of a call, and what the gateway refuses is refused here.
import { native, promised } from "tidegate:native";
import { bind, invoke, invokeErrorHandler, respond, pumping } from "tidegate:context";
import { request, isBuilt, responseFrom, SentRequest, ReceivedResponse } from "tidegate:kit/messages";

native.need("kit");
const { kit } = native;
const NAMES = ["fetchUpstream", "requestModifier", "responseModifier", "requestHandler", "errorHandler"];
const [FETCH_UPSTREAM, REQUEST_MODIFIER, RESPONSE_MODIFIER, REQUEST_HANDLER, ERROR_HANDLER] = [0, 1, 2, 3, 4];
// Those that may answer with a Response.
const ANSWERING = [REQUEST_MODIFIER, REQUEST_HANDLER, ERROR_HANDLER];
const [REQUEST, UPSTREAM, RESPONSE] = [0, 1, 2];

// A run has the context's one exchange: the next one waits for it.
let last = Promise.resolve();

export function run(module, given = undefined, options = {}) {
  const turn = last.then(() => new Run(module, given, options).whole());
  last = turn.then(() => undefined, () => undefined);
  return turn;
}

// A function and the object it is called on, where it is one of the default export's.
function functionOf(module, name) {
  const [own, object] = [module?.[name], module?.default];
  if (typeof own === "function") return [own];
  return typeof object === "object" && typeof object?.[name] === "function" ? [object[name], object] : null;
}

class UpstreamError extends Error {
  get name() { return "UpstreamError"; }
}

class Run {
  #functions = [];
  #hasService;
  #upstream;
  #generation;
  #look;
  #begin;
  outcome = { sent: null, response: null, error: null, steps: [] };

  constructor(module, given, options) {
    const modules = Array.isArray(module) ? module : [module];
    for (const name of NAMES) this.#functions.push(modules.map((one) => functionOf(one, name)).filter((f) => f !== null));
    for (const index of [FETCH_UPSTREAM, REQUEST_HANDLER]) {
      if (this.#functions[index].length > 1) throw new TypeError(`run(): more than one of the modules exports ${NAMES[index]}`);
    }
    if (this.#functions.every((list) => list.length === 0)) {
      throw new TypeError(`run(): the module exports none of ${NAMES.join(", ")}; import it with: import * as name from "./name"`);
    }
    this.#hasService = "upstream" in options || !this.#has(REQUEST_HANDLER);
    this.#upstream = options.upstream;
    this.#look = options.look ?? (() => {});
    const asked = isBuilt(given) ? given : request(given);
    const service = this.#hasService ? JSON.stringify({ name: "test", ...asked.service }) : undefined;
    this.#generation = kit.open({ ...asked, fields: asked.fields.flat(), service });
    this.#begin = options.begin ?? (() => {});
    this.#begin();
  }

  #has(index) { return this.#functions[index].length > 0; }

  #isAnswered() {
    const { isWritten, isEnded } = kit.look(RESPONSE);
    return isWritten || isEnded;
  }

  // Calls a function; its slice of CPU time begins anew.
  async #call(index, [f, self], ...more) {
    bind(index, f, self);
    await promised(kit.renew());
    const step = { function: NAMES[index], cpuMicroseconds: 0, error: null };
    this.outcome.steps.push(step);
    const began = kit.cpuMicroseconds();
    try {
      const value = await (index === ERROR_HANDLER ? invokeErrorHandler(...more) : invoke(index));
      if (typeof value === "object" && value !== null && ANSWERING.includes(index)) respond(this.#generation, value);
      return value;
    } catch (error) {
      step.error = error;
      throw error;
    } finally {
      step.cpuMicroseconds = Math.round(kit.cpuMicroseconds() - began);
      this.#look(step);
    }
  }

  // The body as it leaves, while the module still writes it.
  async #leaving(side) {
    const [body] = await Promise.all([promised(kit.leaving(side)), pumping()]);
    return new Uint8Array(body);
  }

  async #own() {
    const { status, fields } = kit.look(RESPONSE);
    return new ReceivedResponse(status, fields, await this.#leaving(RESPONSE));
  }

  async whole() {
    try {
      this.outcome.response = await this.#serve();
    } catch (error) {
      this.outcome.error = error;
      this.outcome.response = await this.#failed(error);
    }
    return this.outcome;
  }

  async #serve() {
    let url = null;
    if (this.#hasService && this.#has(FETCH_UPSTREAM)) {
      const chosen = await this.#call(FETCH_UPSTREAM, this.#functions[FETCH_UPSTREAM][0]);
      if (typeof chosen === "string") url = chosen;
    }
    for (const f of this.#functions[REQUEST_MODIFIER]) {
      await this.#call(REQUEST_MODIFIER, f);
      if (kit.look(RESPONSE).isEnded) return this.#own();
    }
    if (!this.#hasService) {
      await this.#call(REQUEST_HANDLER, this.#functions[REQUEST_HANDLER][0]);
      return this.#isAnswered() ? this.#own() : new ReceivedResponse(204, [], new Uint8Array(0));
    }
    const seen = kit.look(REQUEST);
    this.outcome.sent = new SentRequest(seen, url, await this.#leaving(REQUEST));
    kit.sent();
    const { status, fields, body, trailers } = await this.#answer();
    kit.upstream(status, fields.flat(), body, (trailers ?? []).flat());
    this.#begin();
    for (const f of this.#functions[RESPONSE_MODIFIER]) await this.#call(RESPONSE_MODIFIER, f);
    const after = kit.look(UPSTREAM);
    return new ReceivedResponse(after.status, after.fields, await this.#leaving(UPSTREAM));
  }

  async #answer() {
    let given = this.#upstream;
    if (typeof given === "function") given = await given(this.outcome.sent);
    if (given instanceof Error) throw Object.assign(new UpstreamError(given.message), { code: given.code ?? "connect_failed" });
    return responseFrom(given);
  }

  async #failed(error) {
    const isUpstreams = error instanceof UpstreamError;
    const name = typeof error?.name === "string" && /^[A-Za-z0-9]+$/.test(error.name) ? error.name : "Error";
    const code = isUpstreams ? error.code : "thrown";
    if (this.#has(ERROR_HANDLER)) kit.clearResponse();
    for (const f of this.#functions[ERROR_HANDLER]) {
      try {
        await this.#call(ERROR_HANDLER, f, name, String(error?.message ?? error), code);
        if (this.#isAnswered()) return await this.#own();
      } catch {
        // The step has it; the client gets what modules without an errorHandler would give.
        break;
      }
    }
    return new ReceivedResponse(isUpstreams ? 502 : 500, [], new Uint8Array(0), error);
  }
}
