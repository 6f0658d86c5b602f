// Answers GETs from the cache for a minute. What an upstream sets cookies with, or calls private, is not kept.
import type { Context } from "tidegate";
import { getCache, setCache } from "tidegate/storage";

const TTL = 60;
const keyOf = (ctx: Context<any>) => `page:${ctx.request().host}${ctx.request().path}?${ctx.query().encode()}`;

interface Page {
  type: string;
  body: string;
}

export function requestModifier(ctx: Context): Response | undefined {
  if (ctx.request().method !== "GET" || ctx.request().headers.has("Authorization")) return;
  const page = getCache<Page>(keyOf(ctx));
  if (page) return new Response(page.body, { headers: { "Content-Type": page.type, "X-Cache": "hit" } });
  ctx.set("key", keyOf(ctx));
}

export async function responseModifier(ctx: Context<"responseModifier">): Promise<void> {
  const upstream = ctx.upstream();
  const key = ctx.get<string | undefined>("key");
  const control = upstream.headers.get("Cache-Control");
  if (!key || upstream.statusCode !== 200 || upstream.headers.has("Set-Cookie") || /private|no-store/.test(control)) return;
  const page: Page = { type: upstream.headers.get("Content-Type"), body: await upstream.readText() };
  setCache(key, page, { ttl: TTL });
  upstream.headers.set("X-Cache", "miss");
}
