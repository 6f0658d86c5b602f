// DOMException (Web IDL, section 2.8.1): the engine's own, added to a context when it is first needed.
import { native, later, expose } from "tidegate:native";

const { getOwnPropertyDescriptor, defineProperty } = Reflect;

// The engine makes it a global at once, unless everything is locked; what was there before is for expose() to judge.
const before = getOwnPropertyDescriptor(globalThis, "DOMException");
export const DOMException = native.domException();
if (Object.isExtensible(globalThis)) {
  if (before === undefined) delete globalThis.DOMException;
  else defineProperty(globalThis, "DOMException", before);
}

later.DOMException = DOMException;
expose({ DOMException });
