// Cookies as text (RFC 6265, sections 4.1 and 4.2).
import { later } from "tidegate:native";

const SAME_SITE = { __proto__: null, lax: "Lax", strict: "Strict", none: "None" };

// Request cookies: [{ name, value }].
export function parseCookies(lines) {
  const cookies = [];
  for (const line of lines) {
    for (const piece of line.split(";")) {
      const at = piece.indexOf("=");
      if (at < 0) continue;
      cookies.push({ name: piece.slice(0, at).trim(), value: unquoted(piece.slice(at + 1).trim()) });
    }
  }
  return cookies;
}

function unquoted(value) {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

export function parseSetCookie(line) {
  const [first, ...attributes] = line.split(";");
  const [cookie = { name: "", value: "" }] = parseCookies([first]);
  for (const attribute of attributes) {
    const at = attribute.indexOf("=");
    const name = (at < 0 ? attribute : attribute.slice(0, at)).trim().toLowerCase();
    const value = at < 0 ? "" : attribute.slice(at + 1).trim();
    if (name === "domain" || name === "path") cookie[name] = value;
    else if (name === "expires") cookie.expires = new Date(value);
    else if (name === "max-age") cookie.maxAge = Number(value);
    else if (name === "secure") cookie.secure = true;
    else if (name === "httponly") cookie.httpOnly = true;
    else if (name === "samesite") cookie.sameSite = value.toLowerCase();
  }
  return cookie;
}

export function writeCookie(name, value, options = {}) {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw new TypeError(`cookie: '${name}' is no valid name`);
  const text = String(value);
  if (/[^\x20-\x7e]|[";\\]/.test(text)) throw new TypeError("cookie: the value has characters that a cookie cannot carry");
  let line = `${name}=${/[ ,]/.test(text) ? `"${text}"` : text}`;
  for (const key of ["path", "domain"]) {
    const part = options[key];
    if (part === undefined || part === "") continue;
    if (/[^\x20-\x7e]|;/.test(part)) throw new TypeError(`cookie: the ${key} has characters that a cookie cannot carry`);
    line += `; ${key === "path" ? "Path" : "Domain"}=${part}`;
  }
  if (options.expires !== undefined) {
    const expires = new Date(options.expires);
    if (isNaN(expires)) throw new TypeError("cookie: expires is no date");
    line += `; Expires=${expires.toUTCString()}`;
  }
  if (options.maxAge !== undefined) line += `; Max-Age=${Math.trunc(Number(options.maxAge)) || 0}`;
  if (options.httpOnly) line += "; HttpOnly";
  if (options.secure) line += "; Secure";
  if (options.sameSite) {
    const sameSite = SAME_SITE[String(options.sameSite).toLowerCase()];
    if (sameSite === undefined) throw new TypeError("cookie: sameSite must be lax, strict or none");
    line += `; SameSite=${sameSite}`;
  }
  return line;
}

later.cookies = { parseCookies, parseSetCookie, writeCookie };
