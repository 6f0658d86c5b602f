import { expect, fakeFetch, it, request, run } from "tidegate/test";
import * as merge from "./merge";

const asked = request({ path: "/overview/7", pathParams: { id: "7" } });

it("merges both answers", async () => {
  const { calls } = fakeFetch({
    "GET http://services.internal/users/7": { body: { name: "Ada" } },
    "http://services.internal/orders*": { body: { open: 2 } },
  });
  const { response } = await run(merge, asked);
  expect(response.json()).toEqual({ user: { name: "Ada" }, orders: { open: 2 } });
  expect(calls).toHaveLength(2);
});

it("says who is not there", async () => {
  fakeFetch(({ url }) => (url.includes("/users/") ? { status: 404 } : { body: [] }));
  expect((await run(merge, asked)).response.status).toBe(404);
});

it("tells when a service cannot be reached", async () => {
  fakeFetch(() => new Error("connection refused"));
  const { response } = await run(merge, asked);
  expect(response.status).toBe(502);
  expect(response.text()).toContain("connection refused");
});
