import { beforeEach, expect, it, request, run, state } from "tidegate/test";
import * as links from "./links";

beforeEach(() => state.collection("links"));

it("makes a link and follows it", async () => {
  const made = await run(links, request({ method: "POST", body: { url: "https://example.com/long" } }));
  expect(made.response.status).toBe(201);
  const { id } = made.response.json<{ id: string }>();
  expect(state.get("links", id)).toEqual({ url: "https://example.com/long" });
  const followed = await run(links, request({ pathParams: { id } }));
  expect(followed.response.status).toBe(307);
  expect(followed.response.headers.get("location")).toBe("https://example.com/long");
});

it("knows what it does not have", async () => {
  expect((await run(links, request({ pathParams: { id: "none" } }))).response.status).toBe(404);
});

it.each([["not a url"], [""], [undefined]])("refuses %0", async (url) => {
  const { response } = await run(links, request({ method: "POST", body: { url } }));
  expect(response.status).toBe(400);
});
