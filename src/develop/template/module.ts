// Greets: every answer that passes gets a field, and a request without a name is answered here.
import type { Context } from "tidegate";

export function requestModifier(ctx: Context): void {
  const name = ctx.query().get("name");
  if (name === "") {
    ctx.response().status(400).json({ error: "say who you are: ?name=…" });
    return;
  }
  ctx.request().headers.set("X-Name", name);
}

export function responseModifier(ctx: Context<"responseModifier">): void {
  const name = ctx.query().get("name");
  ctx.upstream().headers.set("X-Greeting", `hello, ${name}`);
}
