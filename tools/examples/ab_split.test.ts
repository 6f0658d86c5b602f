import { expect, it, request, run } from "tidegate/test";
import * as split from "./ab_split";

it("keeps a visitor's choice", async () => {
  for (const variant of ["old", "new"]) {
    const { sent, response } = await run(split, request({ headers: { Cookie: `variant=${variant}` } }));
    expect(sent?.url).toBe(`http://shop-${variant}.internal`);
    expect(response.headers.get("set-cookie")).toContain(`variant=${variant};`);
  }
});

it("sends some to the new one", async () => {
  let news = 0;
  for (let n = 0; n < 400; n++) if ((await run(split, "/")).sent?.url?.includes("new")) news++;
  expect(news).toBeGreaterThan(5);
  expect(news).toBeLessThan(120);
});
