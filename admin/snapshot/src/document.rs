//! Documents as a shard reads and writes them. The admin implements the reader over its store; a read takes no lock,
//! so a shard may call it between two turns of its loop.

use std::sync::Arc;

/// A read of one namespace's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentQuery {
    /// One collection's description.
    Collection {
        /// Name of the collection.
        name: String,
    },
    /// One document.
    Document {
        /// Name of the collection.
        collection: String,
        /// Id of the document.
        id: String,
    },
    /// A page of documents, ordered by id.
    Documents {
        /// Name of the collection.
        collection: String,
        /// At most this many.
        limit: u32,
        /// After skipping this many.
        offset: u32,
    },
}

/// Reads documents on the calling thread without waiting for anybody.
pub trait DocumentReader: Send + Sync {
    /// Answers JSON text in the admin API's form: an object, an array for `Documents`, `null` for what is not there.
    /// The error is a sentence for the module's author.
    fn read(&self, namespace: &str, query: &DocumentQuery) -> Result<String, String>;
    /// The value of a secret, `None` if there is none of that name. Not to be logged.
    fn secret(&self, namespace: &str, name: &str) -> Result<Option<String>, String>;
}

/// A write that a module asks for. JSON values are text; the admin parses and checks them like an API call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentWrite {
    /// Creates or replaces a collection.
    PutCollection {
        /// The collection as JSON text.
        collection: String,
    },
    /// Deletes an empty collection.
    DeleteCollection {
        /// Name of the collection.
        name: String,
    },
    /// Creates or replaces a document.
    PutDocument {
        /// Name of the collection.
        collection: String,
        /// Id of the document.
        id: String,
        /// The data as JSON text.
        data: String,
    },
    /// Deletes a document.
    DeleteDocument {
        /// Name of the collection.
        collection: String,
        /// Id of the document.
        id: String,
    },
}

/// A reader that knows no documents, for shards that run without an admin plane (tests, benchmarks).
impl DocumentReader for () {
    fn read(&self, _: &str, _: &DocumentQuery) -> Result<String, String> {
        Err("this process has no document store".into())
    }
    fn secret(&self, _: &str, _: &str) -> Result<Option<String>, String> {
        Err("this process has no document store".into())
    }
}

impl<T: DocumentReader + ?Sized> DocumentReader for Arc<T> {
    fn read(&self, namespace: &str, query: &DocumentQuery) -> Result<String, String> {
        (**self).read(namespace, query)
    }
    fn secret(&self, namespace: &str, name: &str) -> Result<Option<String>, String> {
        (**self).secret(namespace, name)
    }
}
