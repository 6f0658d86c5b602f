// `import * as x from "dgate/x"`: DGate's place for experiments, in which there are none.
import { admit } from "tidegate:native";

const all = {};
admit(all);
export default all;
