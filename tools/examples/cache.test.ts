import { expect, fakeClock, it, mock, request, run, type ResponseParts } from "tidegate/test";
import * as cache from "./cache";

const upstream = mock((): ResponseParts => ({ headers: { "Content-Type": "text/html" }, body: "<p>" }));

it("asks once a minute", async () => {
  expect((await run(cache, "/a?b=1", { upstream })).response.headers.get("x-cache")).toBe("miss");
  const { response } = await run(cache, "/a?b=1", { upstream });
  expect([response.headers.get("x-cache"), response.headers.get("content-type"), response.text()]).toEqual(["hit", "text/html", "<p>"]);
  expect(upstream).toHaveBeenCalledTimes(1);
  await fakeClock.tick(60_000);
  await run(cache, "/a?b=1", { upstream });
  expect(upstream).toHaveBeenCalledTimes(2);
});

it("keeps pages apart", async () => {
  await run(cache, "/a", { upstream });
  await run(cache, "/b", { upstream });
  await run(cache, request({ path: "/a", method: "POST" }), { upstream });
  expect(upstream).toHaveBeenCalledTimes(3);
});

it.each([[{ "Set-Cookie": "a=1" }], [{ "Cache-Control": "private" }]])("does not keep %0", async (headers) => {
  upstream.returns({ headers, body: "x" });
  await run(cache, "/a", { upstream });
  await run(cache, "/a", { upstream });
  expect(upstream).toHaveBeenCalledTimes(2);
});
