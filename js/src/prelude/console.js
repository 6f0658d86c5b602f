// console: one line per call, objects shown in a form that is short and safe to compute.
import { native, later, expose, inspect } from "tidegate:native";

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

export function format(values) {
  const budget = { left: native.lineCap };
  let text = "";
  for (let i = 0; i < values.length && budget.left > 0; i++) {
    if (i > 0) text += " ";
    text += show(values[i], 0, budget, []);
  }
  return text;
}

function log(level, values) {
  let text;
  try {
    text = format(values);
  } catch (e) {
    text = "[a value that cannot be shown]";
  }
  native.log(level, text);
}

export function report(what, error) {
  log(3, [what, error]);
}

export const console = {
  debug: (...values) => log(0, values),
  log: (...values) => log(1, values),
  info: (...values) => log(1, values),
  warn: (...values) => log(2, values),
  error: (...values) => log(3, values),
  trace: (...values) => log(0, ["Trace:", ...values, native.mapStack(new Error().stack).split("\n").map((f) => f.trim()).join(" ")]),
  assert: (condition, ...values) => condition || log(3, ["Assertion failed:", ...values]),
};

later.report = report;
expose({ console });
