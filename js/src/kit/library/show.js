// Values as text of many lines, in the form of JSON where they have one: what a diff compares line by line.
const { isArray } = Array;
const plain = /^[A-Za-z_$][\w$]*$/;
const MAX_ITEMS = 200;
const MAX_DEPTH = 12;

export function show(value) {
  return lines(value, "", []);
}

// On one line, for a message; cut where it gets long.
export function brief(value) {
  const text = show(value).replace(/\n\s*/g, " ");
  return text.length > 120 ? text.slice(0, 117) + "…" : text;
}

function lines(value, indent, seen) {
  switch (typeof value) {
    case "string": return JSON.stringify(value);
    case "bigint": return `${value}n`;
    case "symbol": return value.toString();
    case "function": return `[Function ${value.name || "anonymous"}]`;
    case "number": return Object.is(value, -0) ? "-0" : String(value);
    case "object": break;
    default: return String(value);
  }
  if (value === null) return "null";
  if (seen.includes(value)) return "[Circular]";
  if (seen.length > MAX_DEPTH) return isArray(value) ? "[Array]" : "[Object]";
  const inner = (v) => lines(v, indent + "  ", [...seen, value]);
  if (typeof value.describe === "function" && typeof value.matches === "function") return value.describe();
  if (value instanceof Error) return `[${value.name}: ${value.message}]`;
  if (value instanceof Date) return isNaN(value) ? "Invalid Date" : `Date(${value.toISOString()})`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Promise) return "Promise {…}";
  if (isArray(value)) return block("[", "]", indent, value.length, (i) => (i in value ? inner(value[i]) : "<empty>"));
  if (value instanceof Map) {
    const pairs = [...value];
    return "Map " + block("{", "}", indent, pairs.length, (i) => `${inner(pairs[i][0])} => ${inner(pairs[i][1])}`);
  }
  if (value instanceof Set) {
    const items = [...value];
    return "Set " + block("{", "}", indent, items.length, (i) => inner(items[i]));
  }
  if (value instanceof ArrayBuffer) return bytes("ArrayBuffer", new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return bytes(value.constructor.name, value);
  const keys = Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
  // Objects of the platform have their fields behind getters.
  if (keys.length === 0 && typeof value.toJSON === "function") return inner(value.toJSON());
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  const head = name === undefined || name === "Object" ? "" : name + " ";
  return head + block("{", "}", indent, keys.length, (i) => {
    const key = keys[i];
    const shown = typeof key === "symbol" ? `[${key.toString()}]` : plain.test(key) ? key : JSON.stringify(key);
    return `${shown}: ${inner(value[key])}`;
  });
}

function bytes(name, array) {
  const shown = [...array].slice(0, 64).join(", ");
  return `${name}(${array.length}) [${shown}${array.length > 64 ? ", …" : ""}]`;
}

function block(open, close, indent, length, item) {
  if (length === 0) return open + close;
  let text = open + "\n";
  for (let i = 0; i < Math.min(length, MAX_ITEMS); i++) text += `${indent}  ${item(i)},\n`;
  if (length > MAX_ITEMS) text += `${indent}  … ${length - MAX_ITEMS} more\n`;
  return text + indent + close;
}
