import { hmac } from "tidegate/crypto";
import { beforeEach, expect, it, request, run, secrets, state } from "tidegate/test";
import * as webhook from "./webhook";

const body = JSON.stringify({ event: "paid" });
const deliver = (signature: string) => run(webhook, request({ method: "POST", headers: { "X-Signature": signature }, body }));

beforeEach(() => {
  secrets.set("webhook-key", "k");
  state.collection("deliveries");
});

it("takes what the sender signed", async () => {
  const { response } = await deliver(`sha256=${hmac("sha256", "k", body, "hex")}`);
  expect(response.status).toBe(202);
  expect(state.all("deliveries")).toMatchObject([{ data: { event: "paid" } }]);
});

it.each([[""], ["sha256="], [`sha256=${"0".repeat(64)}`]])("refuses %0", async (signature) => {
  expect((await deliver(signature)).response.status).toBe(401);
  expect(state.all("deliveries")).toEqual([]);
});
