import { hmac } from "tidegate/crypto";
import { expect, fakeClock, it, request, run, secrets } from "tidegate/test";
import * as sign from "./sign";

it("signs time, method, path and body", async () => {
  secrets.set("signing-key", "k");
  fakeClock.set("2026-02-03T04:05:06Z");
  const { sent } = await run(sign, request({ method: "PUT", path: "/a?b=1", body: "text" }));
  expect(sent?.headers.get("x-signed-at")).toBe("1770091506");
  expect(sent?.headers.get("x-signature")).toBe(hmac("sha256", "k", "1770091506\nPUT\n/a\ntext", "hex"));
  expect(sent?.text()).toBe("text");
});

it("sends nothing unsigned", async () => {
  const { sent, response } = await run(sign, "/a");
  expect(sent).toBeNull();
  expect(response.status).toBe(500);
});
