// Functions that remember how they were called, and methods that are replaced for one test.
const all = [];
const spies = [];

export function mock(implementation = undefined) {
  let act = implementation;
  const once = [];
  const mocked = function (...values) {
    mocked.calls.push(values);
    const next = once.length > 0 ? once.shift() : act;
    try {
      const value = next?.apply(this, values);
      mocked.results.push({ value });
      return value;
    } catch (error) {
      mocked.results.push({ error });
      throw error;
    }
  };
  Object.assign(mocked, {
    calls: [],
    results: [],
    returns: (value) => ((act = () => value), mocked),
    resolves: (value) => ((act = async () => value), mocked),
    rejects: (error) => ((act = async () => { throw error; }), mocked),
    does: (f) => ((act = f), mocked),
    once: (f) => (once.push(f), mocked),
    reset: () => {
      mocked.calls.length = mocked.results.length = once.length = 0;
      act = implementation;
      return mocked;
    },
  });
  all.push(mocked);
  return mocked;
}

export function spyOn(object, name) {
  const original = object[name];
  if (typeof original !== "function") throw new TypeError(`spyOn(): '${String(name)}' is no method`);
  const mocked = mock(original);
  try {
    object[name] = mocked;
  } catch (cause) {
    const why = "exports of a module and what requests share cannot be; hand it in as an argument or an object's method";
    throw new TypeError(`spyOn(): '${String(name)}' cannot be replaced: ${why}`, { cause });
  }
  spies.push(() => (object[name] = original));
  return mocked;
}

// A test has ended: its spies are taken away, and mocks of the file forget its calls.
export function forgetMocks() {
  for (const restore of spies.splice(0).reverse()) restore();
  for (const mocked of all) mocked.reset();
}
