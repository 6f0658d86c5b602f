// `import … from "dgate/state"`: collections and documents of the module's namespace. Reads are served from the
// local store; writes resolve once they can be seen on this node.
import { admit, native, promised } from "tidegate:native";

const { stringify } = JSON;

function text(value, what) {
  if (typeof value !== "string" || value === "") throw new TypeError(`${what} must be a text that is not empty`);
  return value;
}

// DGate takes the parts one by one in some functions and as an object in others; both work in all.
function named(id, collection) {
  if (typeof id === "object" && id !== null) ({ id, collection } = id);
  return [text(collection, "the collection"), text(id, "the document's id")];
}

export async function getCollection(name) {
  return native.readState(0, text(name, "the collection"), "", 0, 0);
}

export async function getDocument(id, collection) {
  const [inside, which] = named(id, collection);
  const found = native.readState(1, inside, which, 0, 0);
  if (found !== null || native.readState(0, inside, "", 0, 0) !== null) return found;
  // There is no such collection. DGate's own modules also write (collection, id): read it so if that makes sense.
  return native.readState(0, which, "", 0, 0) === null ? null : native.readState(1, which, inside, 0, 0);
}

export async function getDocuments({ collection, limit = 100, offset = 0 }) {
  return native.readState(2, text(collection, "the collection"), "", Number(limit) || 0, Number(offset) || 0);
}

export async function addCollection(collection) {
  text(collection?.name, "the collection's name");
  return promised(native.writeState(0, "", collection.name, stringify(collection)));
}

export async function deleteCollection(name) {
  return promised(native.writeState(1, text(name?.name ?? name, "the collection"), "", ""));
}

export async function addDocument({ id, collection, data }) {
  const [inside, which] = named(id, collection);
  if (data === undefined) throw new TypeError("the document has no data");
  return promised(native.writeState(2, inside, which, stringify(data)));
}

export async function deleteDocument(id, collection) {
  const [inside, which] = named(id, collection);
  return promised(native.writeState(3, inside, which, ""));
}

const all = {
  getCollection, getDocument, getDocuments, addCollection, deleteCollection, addDocument, deleteDocument,
};

admit(all);
export default all;
