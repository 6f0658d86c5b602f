// Takes a webhook only with the sender's signature: X-Signature: sha256=HEX over the body as it was sent.
import { secret, type Context } from "tidegate";
import { hmac, timingSafeEqual } from "tidegate/crypto";
import { addDocument } from "tidegate/state";

export async function requestHandler(ctx: Context): Promise<Response> {
  const key = secret("webhook-key");
  const body = await ctx.request().readText();
  const wanted = key && `sha256=${hmac("sha256", key, body, "hex")}`;
  if (!wanted || !timingSafeEqual(ctx.request().headers.get("X-Signature"), wanted)) {
    return new Response("the signature is wrong", { status: 401 });
  }
  await addDocument({ collection: "deliveries", id: ctx.id, data: JSON.parse(body) });
  return new Response(null, { status: 202 });
}
