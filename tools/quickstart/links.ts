// A link shortener over the collection `links`: POST /s with {"url": "https://…"} makes a short link, GET /s/{id}
// follows it. The gateway answers alone; there is no upstream behind this route.
import type { Context } from "tidegate";
import { sha256 } from "tidegate/crypto";
import { addDocument, getDocument } from "tidegate/state";

export async function requestHandler(ctx: Context): Promise<void> {
  const request = ctx.request();
  const response = ctx.response();
  if (request.method === "POST") {
    const { url } = await request.readJson();
    if (typeof url !== "string" || !/^https?:\/\//.test(url)) {
      response.status(400).json({ error: "send {\"url\": \"https://…\"}" });
      return;
    }
    const id = sha256(url, "base64rawurl").slice(0, 8);
    await addDocument({ id, collection: "links", data: { url } });
    response.status(201).json({ id, short: "/s/" + id });
    return;
  }
  const document = await getDocument(ctx.pathParam("id"), "links");
  if (document) {
    response.redirect(document.data.url);
  } else {
    response.status(404).json({ error: "there is no such link" });
  }
}
