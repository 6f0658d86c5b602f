import { expect, it, request, run } from "tidegate/test";
import * as edit from "./edit_json";

it("hides the password", async () => {
  const { response } = await run(edit, request({ path: "/users/1", service: { name: "users" } }), {
    upstream: { body: { name: "Ada", password: "secret" } },
  });
  expect(response.json()).toEqual({ name: "Ada", servedBy: "users" });
});

it("leaves other bodies alone", async () => {
  const { response } = await run(edit, "/", { upstream: { headers: { "Content-Type": "text/plain" }, body: "{" } });
  expect(response.text()).toBe("{");
});
