// The globals of the Streams standard, and the two strategies (section 7).
import { admit, expose } from "tidegate:native";
import { ReadableStream, ReadableStreamDefaultReader, ReadableStreamDefaultController, ReadableByteStreamController } from "tidegate:streams/readable";
import { WritableStream, WritableStreamDefaultWriter, WritableStreamDefaultController } from "tidegate:streams/writable";
import { TransformStream, TransformStreamDefaultController } from "tidegate:streams/transform";
import { publish } from "tidegate:streams/promises";
import "tidegate:streams/pipe";

function mark(init) {
  if (init === null || typeof init !== "object") throw new TypeError("a strategy needs { highWaterMark }");
  const { highWaterMark } = init;
  if (highWaterMark === undefined) throw new TypeError("a strategy needs { highWaterMark }");
  return Number(highWaterMark);
}

// Every strategy has the same function.
const countSize = { size() { return 1; } }.size;
const byteSize = { size(chunk) { return chunk.byteLength; } }.size;

class CountQueuingStrategy {
  #mark;
  constructor(init) { this.#mark = mark(init); }
  get highWaterMark() { return this.#mark; }
  get size() {
    void this.#mark;
    return countSize;
  }
}

class ByteLengthQueuingStrategy {
  #mark;
  constructor(init) { this.#mark = mark(init); }
  get highWaterMark() { return this.#mark; }
  get size() {
    void this.#mark;
    return byteSize;
  }
}

admit(countSize, byteSize);
publish(CountQueuingStrategy, "CountQueuingStrategy", 1);
publish(ByteLengthQueuingStrategy, "ByteLengthQueuingStrategy", 1);

expose({
  ReadableStream, ReadableStreamDefaultReader, ReadableStreamDefaultController, ReadableByteStreamController,
  WritableStream, WritableStreamDefaultWriter, WritableStreamDefaultController,
  TransformStream, TransformStreamDefaultController, CountQueuingStrategy, ByteLengthQueuingStrategy,
});
