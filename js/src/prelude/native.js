// The table of native functions, taken away from where modules could find it.
export const native = globalThis.__native;
delete globalThis.__native;
