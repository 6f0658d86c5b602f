// Edits a JSON response: takes a field away that is nobody's business and says where the answer came from.
import type { Context } from "tidegate";

interface User {
  name: string;
  password?: string;
  servedBy?: string;
}

export async function responseModifier(ctx: Context<"responseModifier">): Promise<void> {
  const upstream = ctx.upstream();
  if (!upstream.headers.get("Content-Type").startsWith("application/json")) return;
  const { password, ...user } = await upstream.readJson<User>();
  upstream.writeJson({ ...user, servedBy: ctx.service()?.name } satisfies User);
}
