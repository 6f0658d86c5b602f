// Runs the cases of the suite's data for URLPattern; see its own description of the fields.
const PARTS = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];

function expectedPart(entry, name) {
  if (entry.exactly_empty_components?.includes(name)) return "";
  const given = entry.pattern[0];
  if (given !== null && typeof given === "object" && given[name] !== undefined) return given[name];
  return undefined;
}

function run(entry) {
  const make = () => new URLPattern(...entry.pattern);
  if (entry.expected_obj === "error") {
    assert_throws_js(TypeError, make, "the constructor");
    return;
  }
  const pattern = make();
  for (const name of PARTS) {
    const expected = entry.expected_obj?.[name];
    if (expected !== undefined) assert_equals(pattern[name], expected, `pattern.${name}`);
    else if (entry.expected_obj !== undefined && expectedPart(entry, name) === "") assert_equals(pattern[name], "", name);
  }
  if (!("inputs" in entry)) return;
  if (entry.expected_match === "error") {
    assert_throws_js(TypeError, () => pattern.test(...entry.inputs), "test()");
    assert_throws_js(TypeError, () => pattern.exec(...entry.inputs), "exec()");
    return;
  }
  assert_equals(pattern.test(...entry.inputs), entry.expected_match !== null, "test()");
  const result = pattern.exec(...entry.inputs);
  if (entry.expected_match === null) {
    assert_equals(result, null, "exec()");
    return;
  }
  for (const name of PARTS) {
    const expected = entry.expected_match[name];
    if (expected === undefined) continue;
    assert_equals(result[name].input, expected.input, `${name}.input`);
    // Null stands for a group that took no part.
    const groups = Object.fromEntries(Object.entries(expected.groups).map(([k, v]) => [k, v ?? undefined]));
    assert_object_equals(result[name].groups, groups, `${name}.groups`);
  }
}

promise_setup(async () => {
  const data = await (await fetch("urlpatterntestdata.json")).json();
  for (const entry of data) {
    test(() => run(entry), `${JSON.stringify(entry.pattern)} on ${JSON.stringify(entry.inputs)}`);
  }
});
