// Shows one in ten visitors the new shop, and the same one whenever they come: the choice is kept in a cookie.
import type { Context } from "tidegate";

const SHARE = 0.1;
const UPSTREAMS = { old: "http://shop-old.internal", new: "http://shop-new.internal" };
type Variant = keyof typeof UPSTREAMS;

export function fetchUpstream(ctx: Context): string {
  const kept = ctx.response().getCookie("variant")?.value;
  const variant: Variant = kept === "old" || kept === "new" ? kept : Math.random() < SHARE ? "new" : "old";
  ctx.set("variant", variant);
  return UPSTREAMS[variant];
}

export function responseModifier(ctx: Context<"responseModifier">): void {
  ctx.upstream().headers.add("Set-Cookie", `variant=${ctx.get<Variant>("variant")}; Path=/; Max-Age=2592000; HttpOnly`);
}
