import { expect, fakeClock, it, request, run } from "tidegate/test";
import * as limit from "./rate_limit";

const status = async (remoteAddress: string) => (await run(limit, request({ remoteAddress }))).response.status;

it("lets a hundred through in a minute", async () => {
  for (let n = 0; n < 100; n++) expect(await status("10.0.0.1")).toBe(200);
  expect(await status("10.0.0.1")).toBe(429);
  expect(await status("10.0.0.2")).toBe(200);
  await fakeClock.tick(60_000);
  expect(await status("10.0.0.1")).toBe(200);
});
