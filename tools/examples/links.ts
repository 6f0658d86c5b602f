// Short links in the collection `links`: POST / with { "url": … } makes one, GET /{id} follows it.
import type { Context } from "tidegate";
import { sha256 } from "tidegate/crypto";
import { addDocument, getDocument } from "tidegate/state";

interface Link {
  url: string;
}

export async function requestHandler(ctx: Context): Promise<Response> {
  if (ctx.request().method === "POST") {
    const { url } = await ctx.request().readJson<Partial<Link>>();
    if (!url || !URL.canParse(url)) return Response.json({ error: "send { \"url\": \"https://…\" }" }, { status: 400 });
    const id = sha256(url, "base64rawurl").slice(0, 8);
    await addDocument({ collection: "links", id, data: { url } satisfies Link });
    return Response.json({ id }, { status: 201 });
  }
  const link = await getDocument<Link>(ctx.pathParam("id"), "links");
  return link ? Response.redirect(link.data.url, 307) : Response.json({ error: "no such link" }, { status: 404 });
}
