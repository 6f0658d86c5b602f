// Tells what tidegate/test has, as one line of JSON.
import * as kit from "tidegate/test";

const kinds = (object: any): any =>
  Object.fromEntries(
    Reflect.ownKeys(object)
      .filter((key) => !["length", "name", "prototype", "arguments", "caller"].includes(key as string))
      .map((key) => [key, typeof object[key] === "function" ? "method" : "property"]),
  );

kit.it("tells", () => {
  const exports = Object.fromEntries(
    Object.entries(kit).map(([name, value]) => {
      const isFunction = typeof value === "function";
      // it and test are declared by one interface.
      const members = name === "it" || name === "test" ? {} : kinds(value);
      return [name, { kind: isFunction ? "function" : "value", members }];
    }),
  );
  const matchers = { ...kinds(kit.expect(1)), not: "property" };
  console.log(JSON.stringify({ exports, matchers }));
});
