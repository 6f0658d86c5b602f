// One request through a module, for `tidegate module run`. Input: { request, upstream? } as JSON, bodies as text. Output:
// { steps: [{ function, cpuMicroseconds, error, changes, console }], sent, response, error, fetches, console } as JSON.
import { native } from "tidegate:native";
import { request } from "tidegate:kit/messages";
import { failure } from "tidegate:kit/expect";
import { run } from "tidegate:kit/run";
import { serveFetches, fakeFetch, logs } from "tidegate:kit/surroundings";

native.need("kit");
const { kit } = native;
const SIDES = ["request", "upstream", "response"];

// What a function did to a message: lines with a sign in front, as a diff has them.
function changes(before, after) {
  const lines = [];
  for (const part of ["method", "path", "query", "host", "status"]) {
    if (before[part] !== after[part]) lines.push(`- ${part}: ${before[part]}`, `+ ${part}: ${after[part]}`);
  }
  const pairs = ({ fields }) => fields.reduce((all, text, i) => (i % 2 ? [...all, `${fields[i - 1]}: ${text}`] : all), []);
  const [old, now] = [pairs(before), pairs(after)];
  for (const line of old) if (!now.includes(line)) lines.push(`- ${line}`);
  for (const line of now) if (!old.includes(line)) lines.push(`+ ${line}`);
  if (after.hasOwnBody && !before.hasOwnBody) lines.push("+ a body of its own");
  return lines;
}

const told = (error) => (error === null ? null : failure(error));

export async function step(subject) {
  serveFetches();
  const { upstream, ...given } = JSON.parse(kit.input());
  const fetches = [];
  fakeFetch(({ method, url }) => {
    fetches.push({ method, url });
    return new Error(`${method} ${url} was not sent: 'module run' touches no network; write a test with fakeFetch() for it`);
  });
  const look = () => SIDES.map((_, side) => kit.look(side));
  let before = null;
  let spoken = 0;
  const notes = [];
  const note = (step) => {
    const now = look();
    const made = {};
    SIDES.forEach((side, i) => {
      // The request's line is the same in every look; the response of a handler has none.
      const [old, fresh] = [before[i], now[i]].map((seen) => (i === 0 ? { ...seen, status: 0 } : { fields: seen.fields, status: seen.status, hasOwnBody: seen.hasOwnBody }));
      const lines = changes(old, fresh);
      if (lines.length > 0) made[side] = lines;
    });
    const lines = logs();
    notes.push({
      function: step.function,
      cpuMicroseconds: step.cpuMicroseconds,
      error: told(step.error),
      changes: made,
      console: lines.slice(spoken),
    });
    [before, spoken] = [now, lines.length];
  };
  const asked = request(given.request);
  const options = { look: note, begin: () => (before = look()) };
  if (upstream !== undefined) options.upstream = upstream;
  const outcome = await run(subject, asked, options);
  const { sent, response, error } = outcome;
  kit.report(JSON.stringify({ steps: notes, sent, response, error: told(error), fetches, console: logs().slice(spoken) }));
}
