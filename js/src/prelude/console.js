// console: one line per call, objects shown in a form that is short and safe to compute.
import { native, later, expose, inspect } from "tidegate:native";

const { current, hold } = native;
const { isArray } = Array;
const { ownKeys, getPrototypeOf, getOwnPropertyDescriptor } = Reflect;
const plain = /^[A-Za-z_$][\w$]*$/;
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;

function errorText(error) {
  let head;
  try {
    head = `${error}`;
  } catch {
    head = "Error";
  }
  let stack = "";
  try {
    if (typeof error.stack === "string") stack = native.mapStack(error.stack);
  } catch {}
  let text = head;
  for (const frame of stack.split("\n")) if (frame.trim() !== "") text += " " + frame.trim();
  if (error.cause !== undefined) text += ` [cause: ${show(error.cause, 1, { left: 2000 }, [])}]`;
  return text;
}

function show(value, depth, budget, seen) {
  const text = showAny(value, depth, budget, seen);
  budget.left -= text.length;
  return text;
}

function showAny(value, depth, budget, seen) {
  switch (typeof value) {
    case "string":
      return depth === 0 ? value : JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return value.toString();
    case "function":
      return `[Function: ${value.name || "anonymous"}]`;
    case "object":
      if (value === null) return "null";
      break;
    default:
      return String(value);
  }
  if (budget.left <= 0) return "…";
  if (value instanceof Error) return errorText(value);
  if (seen.includes(value)) return "[Circular]";
  if (depth >= MAX_DEPTH) return isArray(value) ? "[Array]" : "[Object]";
  const inside = [...seen, value];
  const inner = (v) => show(v, depth + 1, budget, inside);
  if (isArray(value)) return list("[", "]", value, inner, value.length);
  if (value instanceof Date) return isNaN(value) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Promise) return "Promise {…}";
  if (value instanceof Map) {
    const pairs = [...value.entries()].slice(0, MAX_ITEMS);
    return `Map(${value.size}) ` + list("{", "}", pairs, ([k, v]) => `${inner(k)} => ${inner(v)}`, value.size);
  }
  if (value instanceof Set) return `Set(${value.size}) ` + list("{", "}", [...value], inner, value.size);
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${value.byteLength})`;
  if (ArrayBuffer.isView(value)) {
    if (value.length === undefined) return `DataView(${value.byteLength})`;
    return `${value.constructor.name}(${value.length}) ` + list("[", "]", value, String, value.length);
  }
  if (typeof value[inspect] === "function") return `${value.constructor.name} ${object(value[inspect](), inner)}`;
  if (typeof value.toJSON === "function") return inner(value.toJSON());
  return object(value, inner);
}

function list(open, close, items, inner, length) {
  let text = "";
  const shown = Math.min(length, MAX_ITEMS);
  for (let i = 0; i < shown; i++) text += (i ? ", " : " ") + (i in items ? inner(items[i]) : "<empty>");
  if (length > shown) text += `, … ${length - shown} more`;
  return length === 0 ? open + close : `${open}${text} ${close}`;
}

function object(value, inner) {
  const proto = getPrototypeOf(value);
  const name = proto !== null && typeof proto.constructor === "function" ? proto.constructor.name : "";
  let text = "";
  let count = 0;
  for (const key of ownKeys(value)) {
    const property = getOwnPropertyDescriptor(value, key);
    if (property === undefined || !property.enumerable) continue;
    if (count++ === MAX_ITEMS) {
      text += ", …";
      break;
    }
    const shown = typeof key === "symbol" ? `[${key.toString()}]` : plain.test(key) ? key : JSON.stringify(key);
    const content = "value" in property ? inner(property.value) : "[Getter]";
    text += `${count > 1 ? ", " : " "}${shown}: ${content}`;
  }
  const head = name === "" || name === "Object" ? "" : name + " ";
  return head + (count === 0 ? "{}" : `{${text} }`);
}

// The first value's directives (Console standard, section 2.2), each with the next value; gives the text and how many
// values it took.
function substituted(values, budget) {
  const template = values[0];
  let text = "";
  let next = 1;
  let from = 0;
  for (let i = 0; i + 1 < template.length; i++) {
    if (template[i] !== "%") continue;
    const directive = template[i + 1];
    const write = directive === "%" ? () => "%" : directives[directive];
    if (write === undefined || (directive !== "%" && next >= values.length)) continue;
    text += template.slice(from, i) + (directive === "%" ? "%" : write(values[next++], budget));
    from = i + 2;
    i++;
  }
  return [text + template.slice(from), next];
}

const number = (value, read) => {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "object" || typeof value === "symbol" ? "NaN" : `${read(value)}`;
};

const directives = {
  __proto__: null,
  s: (value, budget) => (typeof value === "string" ? value : show(value, 1, budget, [])),
  d: (value) => number(value, Number),
  i: (value) => number(value, parseInt),
  f: (value) => number(value, parseFloat),
  j: (value) => JSON.stringify(value),
  o: (value, budget) => show(value, 1, budget, []),
  O: (value, budget) => show(value, 1, budget, []),
  // Styles mean nothing in a log.
  c: () => "",
};

export function format(values) {
  const budget = { left: native.lineCap };
  let text = "";
  let i = 0;
  if (values.length > 0 && typeof values[0] === "string" && /%[sdifjoOc%]/.test(values[0])) {
    [text, i] = substituted(values, budget);
    if (i < values.length) text += " ";
  }
  for (const first = i; i < values.length && budget.left > 0; i++) {
    if (i > first) text += " ";
    text += show(values[i], 0, budget, []);
  }
  return text;
}

// Groups, counters and timers of the current request.
let own = { lease: -1, indent: "", counts: { __proto__: null }, timers: { __proto__: null } };
const MAX_LABELS = 100;

function mine() {
  const lease = current();
  if (own.lease !== lease) own = { lease, indent: "", counts: { __proto__: null }, timers: { __proto__: null } };
  return own;
}

function keep(table, label, value) {
  hold();
  if (!(label in table) && Object.keys(table).length >= MAX_LABELS) return;
  table[label] = value;
}

function log(level, values) {
  let text;
  try {
    text = format(values);
  } catch (e) {
    text = "[a value that cannot be shown]";
  }
  const { indent } = mine();
  native.log(level, indent === "" ? text : indent + text);
}

export function report(what, error) {
  log(3, [what, error]);
}

const stack = () => native.mapStack(new Error().stack).split("\n").map((f) => f.trim()).join(" ");

function group(level, values) {
  if (values.length > 0) native.log(level, mine().indent + format(values));
  hold();
  if (mine().indent.length < 40) own.indent += "  ";
}

function elapsed(level, label, values) {
  const since = mine().timers[label];
  if (since === undefined) log(2, [`there is no timer '${label}'`]);
  else log(level, [`${label}: ${Math.round((native.monotonic() - since) * 1000) / 1000} ms`, ...values]);
}

// A line per row, in columns of the same width.
function table(level, data, wanted) {
  if (data === null || typeof data !== "object") return log(level, [data]);
  const names = isArray(wanted) ? wanted.map(String) : [];
  const rows = [];
  let hasValues = false;
  for (const [index, row] of [...(data instanceof Map ? data : Object.entries(data))].slice(0, MAX_ITEMS)) {
    const cells = { __proto__: null };
    if (row !== null && typeof row === "object") {
      for (const key of Object.keys(row)) {
        if (!isArray(wanted) && !names.includes(key) && names.length < 20) names.push(key);
        cells[key] = format([row[key]]);
      }
    } else hasValues = true;
    rows.push([String(index), cells, row !== null && typeof row === "object" ? "" : format([row])]);
  }
  const lines = [["(index)", ...names, ...(hasValues ? ["(value)"] : [])]];
  for (const [index, cells, value] of rows) lines.push([index, ...names.map((name) => cells[name] ?? ""), ...(hasValues ? [value] : [])]);
  const widths = lines[0].map((_, column) => Math.min(60, Math.max(...lines.map((line) => line[column].length))));
  for (const line of lines) log(level, [line.map((cell, column) => cell.padEnd(widths[column])).join(" | ").trimEnd()]);
}

export const console = {
  debug: (...values) => log(0, values),
  log: (...values) => log(1, values),
  info: (...values) => log(1, values),
  warn: (...values) => log(2, values),
  error: (...values) => log(3, values),
  dir: (value) => log(1, [value]),
  trace: (...values) => log(0, ["Trace:", ...values, stack()]),
  assert: (condition, ...values) => condition || log(3, ["Assertion failed:", ...values]),
  group: (...values) => group(1, values),
  groupCollapsed: (...values) => group(1, values),
  groupEnd: () => void (mine().indent = own.indent.slice(2)),
  count: (label = "default") => {
    keep(mine().counts, label, (own.counts[label] ?? 0) + 1);
    log(1, [`${label}: ${own.counts[label]}`]);
  },
  countReset: (label = "default") => void delete mine().counts[label],
  time: (label = "default") => keep(mine().timers, label, native.monotonic()),
  timeLog: (label = "default", ...values) => elapsed(1, label, values),
  timeEnd: (label = "default") => {
    elapsed(1, label, []);
    delete own.timers[label];
  },
  table: (data, columns = undefined) => table(1, data, columns),
};

later.report = report;
expose({ console });
