// A hundred requests a minute for each client, counted exactly over all shards.
import type { Context } from "tidegate";
import { increment } from "tidegate/storage";

const [LIMIT, SECONDS] = [100, 60];

export async function requestModifier(ctx: Context): Promise<Response | undefined> {
  const count = await increment(`rate:${ctx.request().remoteAddress}`, 1, { ttl: SECONDS });
  if (count > LIMIT) return new Response("slow down", { status: 429, headers: { "Retry-After": String(SECONDS) } });
}
