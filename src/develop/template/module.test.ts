import { describe, expect, it, request, run } from "tidegate/test";
import * as greeter from "./NAME";

describe("NAME", () => {
  it("greets whoever asks", async () => {
    const { sent, response } = await run(greeter, request({ path: "/echo", query: { name: "Ada" } }), {
      upstream: { status: 200, body: "hi" },
    });
    expect(sent?.headers.get("x-name")).toBe("Ada");
    expect(response.headers.get("x-greeting")).toBe("hello, Ada");
    expect(response.text()).toBe("hi");
  });

  it("wants to know who asks", async () => {
    const { sent, response } = await run(greeter, request("/echo"), { upstream: { status: 200 } });
    expect(sent).toBeNull();
    expect(response.status).toBe(400);
  });
});
