// `import … from "tidegate/test"`: everything a test has. It exists in the test kit only.
export { describe, it, test, beforeEach, afterEach } from "tidegate:kit/suite";
export { expect } from "tidegate:kit/expect";
export { mock, spyOn } from "tidegate:kit/mock";
export { fakeClock, fakeFetch, state, cache, secrets, env, logs } from "tidegate:kit/surroundings";
export { request, upstreamResponse } from "tidegate:kit/messages";
export { run } from "tidegate:kit/run";
