// A response modifier: it marks every answer that passes the route. Change the greeting and replace the module while
// the gateway runs; the next request sees it.
import type { Context } from "tidegate";

const greeting: string = "hello from TypeScript";

export function responseModifier(ctx: Context<"responseModifier">): void {
  const upstream = ctx.upstream();
  upstream.headers.set("X-Greeting", greeting);
  upstream.headers.set("X-Upstream-Status", String(upstream.statusCode));
}
