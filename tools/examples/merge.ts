// Answers with what several services say, asked at the same time: GET /overview/{id}
import type { Context } from "tidegate";

const BASE = "http://services.internal";

async function json(path: string): Promise<unknown> {
  const response = await fetch(BASE + path, { signal: AbortSignal.timeout(2000) });
  return response.ok ? response.json() : null;
}

export async function requestHandler(ctx: Context): Promise<Response> {
  const id = encodeURIComponent(ctx.pathParam("id"));
  const [user, orders] = await Promise.all([json(`/users/${id}`), json(`/orders?user=${id}`)]);
  return user === null ? Response.json({ error: "no such user" }, { status: 404 }) : Response.json({ user, orders });
}

export function errorHandler(ctx: Context, error: Error): void {
  ctx.response().status(502).json({ error: error.message });
}
