// Signs what goes upstream: HMAC-SHA-256 over time, method, path and body, so that a service can trust the gateway.
import { secret, type Context } from "tidegate";
import { hmac } from "tidegate/crypto";

export async function requestModifier(ctx: Context): Promise<void> {
  const key = secret("signing-key");
  if (!key) throw new Error("the secret 'signing-key' is missing");
  const request = ctx.request();
  const time = String(Math.floor(Date.now() / 1000));
  const text = [time, request.method, request.path, await request.readText()].join("\n");
  request.headers.set("X-Signed-At", time);
  request.headers.set("X-Signature", hmac("sha256", key, text, "hex"));
}
