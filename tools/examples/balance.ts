// A client always meets the same server: its address is hashed, and the hash chooses among the service's urls.
import type { Context } from "tidegate";
import { sha256 } from "tidegate/crypto";

export function fetchUpstream(ctx: Context): string {
  const urls = ctx.service()?.urls as string[];
  const forwarded = ctx.request().headers.get("X-Forwarded-For").split(",")[0];
  const hash = parseInt(sha256(forwarded || ctx.request().remoteAddress, "hex").slice(0, 8), 16);
  return urls[hash % urls.length]!;
}
