import { expect, it, run } from "tidegate/test";
import * as stream from "./stream";

const passed = async (body: string[]) => (await run(stream, "/", { upstream: { body } })).response.text();

it("hides a card number", async () => {
  expect(await passed(["pay with 4111 1111 1111 1111 today"])).toBe("pay with •••• •••• •••• •••• today");
});

it("hides one that comes in pieces", async () => {
  expect(await passed(["number: 4111-11", "11-1111", "-1111."])).toBe("number: •••• •••• •••• ••••.");
});

it("leaves everything else as it is", async () => {
  const pieces = Array.from({ length: 100 }, (_, n) => `piece ${n}, größer als ein Byte;`);
  expect(await passed(pieces)).toBe(pieces.join(""));
});
