import { expect, it, request, run } from "tidegate/test";
import * as balance from "./balance";

const service = { urls: ["http://a:80", "http://b:80", "http://c:80"] };
const chosen = async (remoteAddress: string, headers = {}) =>
  (await run(balance, request({ remoteAddress, headers, service }))).sent?.url;

it("sends a client to the same server again", async () => {
  expect(await chosen("10.0.0.1")).toBe(await chosen("10.0.0.1"));
  expect(await chosen("10.9.9.9", { "X-Forwarded-For": "10.0.0.1, 10.9.9.9" })).toBe(await chosen("10.0.0.1"));
});

it("uses all of them", async () => {
  const all = new Set<unknown>();
  for (let n = 0; n < 30; n++) all.add(await chosen(`10.0.0.${n}`));
  expect([...all].sort()).toEqual(service.urls);
});
