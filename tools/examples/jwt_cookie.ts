// Lets through who has a valid token in the cookie `session`, and tells the upstream who it is.
import { secret, type Context } from "tidegate";
import { verifyJwt } from "tidegate/crypto";

export async function requestModifier(ctx: Context): Promise<Response | undefined> {
  // Nobody but the gateway says who it is.
  ctx.request().headers.delete("X-User");
  const cookie = ctx.response().getCookie("session");
  const key = secret("session-key");
  if (!cookie || !key) return new Response("log in first", { status: 401 });
  try {
    const { payload } = await verifyJwt(cookie.value, key, { algorithm: "HS256", issuer: "shop", audience: false });
    ctx.request().headers.set("X-User", payload.sub ?? "");
  } catch (error) {
    console.warn("refused a token:", (error as Error).message);
    return new Response("log in again", { status: 401 });
  }
}
