// describe, it and their hooks. A file announces its tests when it is evaluated; the runner calls step() once for each,
// and every test has the CPU budget of a call.
import { native, promised } from "tidegate:native";
import { bind } from "tidegate:context";
import { failure } from "tidegate:kit/expect";
import { brief } from "tidegate:kit/show";
import { forgetMocks } from "tidegate:kit/mock";
import { serveFetches } from "tidegate:kit/surroundings";

native.need("kit");
const { kit } = native;
const REQUEST_HANDLER = 3;
const TIMEOUT_MS = 5000;
const [RUN, SKIP, ONLY] = [0, 1, 2];

kit.begin();
const tests = [];
let group = { name: [], mode: RUN, before: [], after: [] };
let running = false;

function place() {
  return native.mapStack(new Error().stack);
}

function add(mode, name, body, options) {
  if (running) throw new Error("a test cannot announce another one");
  if (typeof name !== "string") throw new TypeError("a test needs a name");
  if (typeof options === "function") [body, options] = [options, body];
  if (typeof body !== "function" && mode !== SKIP) throw new TypeError(`the test '${name}' needs a function`);
  const given = typeof options === "number" ? { timeoutMs: options } : (options ?? {});
  const chosen = group.mode === SKIP ? SKIP : mode === RUN ? group.mode : mode;
  tests.push({ body, group, cpuMs: given.cpuMs ?? 0 });
  kit.test([...group.name, name], chosen, place(), given.timeoutMs ?? TIMEOUT_MS);
}

function within(mode, name, body) {
  if (running) throw new Error("a test cannot hold a describe()");
  const outer = group;
  const inherited = outer.mode === RUN ? mode : outer.mode === SKIP || mode === SKIP ? SKIP : mode === RUN ? outer.mode : mode;
  group = { name: [...outer.name, String(name)], mode: inherited, before: [...outer.before], after: [...outer.after], outer };
  try {
    body();
  } finally {
    group = outer;
  }
}

// it.each([[1, 2], [3, 4]])("adds %0 to %1", (a, b) => …)
function each(rows) {
  return (name, body, options) => {
    for (const row of rows) {
      const values = Array.isArray(row) ? row : [row];
      const shown = name.replace(/%(\d)/g, (whole, n) => (n in values ? brief(values[n]) : whole));
      add(RUN, values.length > 0 && shown === name ? `${name} (${values.map(brief).join(", ")})` : shown, () => body(...values), options);
    }
  };
}

export function it(name, body, options) { add(RUN, name, body, options); }
it.skip = (name, body, options) => add(SKIP, name, body, options);
it.only = (name, body, options) => add(ONLY, name, body, options);
it.each = each;
export const test = it;

export function describe(name, body) { within(RUN, name, body); }
describe.skip = (name, body) => within(SKIP, name, body);
describe.only = (name, body) => within(ONLY, name, body);

export function beforeEach(hook) { group.before.push(hook); }
export function afterEach(hook) { group.after.unshift(hook); }

function hooks(of, when) {
  return when === "before" ? of.before : of.after;
}

export async function step() {
  const current = tests[kit.current()];
  if (current === undefined) throw new Error("the file announced other tests when it was evaluated again");
  running = true;
  serveFetches();
  kit.budget(current.cpuMs);
  await promised(kit.renew());
  try {
    for (const hook of hooks(current.group, "before")) await hook();
    await current.body();
  } catch (error) {
    fail(error);
  }
  for (const hook of hooks(current.group, "after")) {
    try {
      await hook();
    } catch (error) {
      fail(error);
    }
  }
  forgetMocks();
  // A run puts the functions of its module into the context's places; the next test begins with ours.
  bind(REQUEST_HANDLER, () => step());
}

function fail(error) {
  const { message, stack, expected, actual } = failure(error);
  kit.fail(message, stack, expected, actual);
}
