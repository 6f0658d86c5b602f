import { signJwt } from "tidegate/crypto";
import { beforeEach, expect, fakeClock, it, logs, request, run, secrets } from "tidegate/test";
import * as guard from "./jwt_cookie";

const KEY = "a key of at least thirty-two bytes, for HS256";
const token = (claims = {}) => signJwt({ iss: "shop", sub: "ada", ...claims }, KEY, { algorithm: "HS256", expiresInSeconds: 60 });
const ask = (session: string) => run(guard, request({ headers: { Cookie: `session=${session}`, "X-User": "root" } }));

beforeEach(() => secrets.set("session-key", KEY));

it("tells the upstream who it is", async () => {
  const { sent } = await ask(await token());
  expect(sent?.headers.getAll("x-user")).toEqual(["ada"]);
});

it("refuses what has expired", async () => {
  const old = await token();
  await fakeClock.tick(61_000);
  const { sent, response } = await ask(old);
  expect(sent).toBeNull();
  expect(response.status).toBe(401);
  expect(logs("warn")).toHaveLength(1);
});

it("refuses others' tokens and none", async () => {
  expect((await ask(await token({ iss: "elsewhere" }))).response.status).toBe(401);
  expect((await run(guard, "/")).response.text()).toBe("log in first");
});
