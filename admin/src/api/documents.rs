//! Documents: by query in version 1, by path in version 2, and under `/collection/…` as version 2's client really calls
//! them. Pages are bounded. Data never reaches a log.

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::resources::collection_of;
use super::write::{commit, created, etag, lead, missing, read};
use crate::change::{Key, Kind, Op};
use crate::invalid::Invalid;
use crate::resource::{self, Visibility};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// Documents of a page when the query does not say.
const PAGE: usize = 100;
/// Most documents of a page.
const MAX_PAGE: usize = 1000;

/// What a document of version 2's API must have: a body with all of them is a document, any other is data.
const ENVELOPE: [&str; 4] = ["id", "namespace", "collection", "data"];

/// The key that path and query name.
fn key_of(call: &Call) -> Result<Key, Refusal> {
    let namespace = match call.param("namespace") {
        "" => call.namespace()?,
        namespace => namespace,
    };
    let collection = match call.param("collection") {
        "" => {
            call.query("collection").ok_or_else(|| Refusal::BadRequest("'collection' is missing".into()))?
        }
        collection => collection,
    };
    Ok(Key {
        kind: Kind::Document,
        namespace: namespace.to_owned(),
        collection: Some(collection.to_owned()),
        name: call.param("id").to_owned(),
    })
}

/// `PUT /document/{id}?…` and version 2's: the body is the data, or (version 2) a whole document.
pub(crate) async fn put(mut call: Call, versioned: bool) -> Result<Response, Refusal> {
    lead(&call)?;
    let key = key_of(&call)?;
    let mut body = call.json().await?;
    let whole = versioned
        && !call.uri.path().starts_with("/api/v1/collection/")
        && body.as_object().is_some_and(|object| ENVELOPE.iter().all(|name| object.contains_key(*name)));
    let document = if whole {
        let own = |name: &str| match name {
            "id" => Some(key.name.as_str()),
            "namespace" => Some(key.namespace.as_str()),
            "collection" => key.collection.as_deref(),
            _ => None,
        };
        let faults: Vec<Invalid> = ENVELOPE
            .into_iter()
            .filter(|name| own(name).is_some_and(|own| body[*name] != own))
            .map(|name| Invalid::new(name, "is another one than in the path"))
            .collect();
        if !faults.is_empty() {
            return Err(Refusal::Invalid(faults));
        }
        body
    } else {
        let mut document = Map::new();
        document.insert("id".into(), key.name.clone().into());
        document.insert("namespace".into(), key.namespace.clone().into());
        document.insert("collection".into(), key.collection.clone().into());
        document.insert("data".into(), body.take());
        document.into()
    };
    let parsed = resource::parse(Kind::Document, document).map_err(Refusal::Invalid)?;
    commit(&call, vec![parsed.into_put()]).await?;
    one(&call, key, created(versioned)).await
}

async fn one(call: &Call, key: Key, status: StatusCode) -> Result<Response, Refusal> {
    let stored =
        read(&call.state, move |_, view| view.get(&key)?.ok_or_else(|| Refusal::NotFound(missing(&key))))
            .await?;
    let tag = etag(&stored);
    Ok(Answer::one(status, stored).tagged(tag).into_response())
}

/// `GET` of one document.
pub(crate) async fn get(call: Call) -> Result<Response, Refusal> {
    let key = key_of(&call)?;
    one(&call, key, StatusCode::OK).await
}

/// `GET /document?…`: a page, ordered by id.
pub(crate) async fn list(call: Call) -> Result<Response, Refusal> {
    let key = key_of(&call)?;
    let (namespace, collection) = (key.namespace, key.collection.unwrap_or_default());
    let limit = call.number("limit", PAGE)?.min(MAX_PAGE);
    let offset = call.number("offset", 0)?;
    let named = (namespace.clone(), collection.clone());
    let (documents, total) = read(&call.state, move |_, view| {
        let (namespace, collection) = named;
        if collection_of(view, &namespace, &collection)?.visibility == Visibility::Private {
            let why = format!("collection '{collection}' is private: only modules read it");
            return Err(Refusal::Forbidden(why));
        }
        let page = view.documents(&namespace, &collection, limit, offset)?;
        let documents: Result<Vec<Value>, _> =
            page.iter().map(|(_, text)| serde_json::from_str(text)).collect();
        let documents =
            documents.map_err(|_| Refusal::Internal("a stored document cannot be read".into()))?;
        Ok((documents, view.count_documents(&namespace, &collection)?))
    })
    .await?;
    Ok(Answer::list(StatusCode::OK, documents.clone())
        .with("documents", documents.into())
        .with("total", total.into())
        .with("limit", limit.into())
        .with("offset", offset.into())
        .with("namespace", namespace.into())
        .with("collection", collection.into())
        .into_response())
}

/// `DELETE` of one document.
pub(crate) async fn delete(call: Call, versioned: bool) -> Result<Response, Refusal> {
    let key = key_of(&call)?;
    commit(&call, vec![Op::Delete { key }]).await?;
    let status = if versioned { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(Answer::one(status, Value::Null).into_response())
}

/// `DELETE /document?…`: all documents of a collection.
pub(crate) async fn delete_all(call: Call) -> Result<Response, Refusal> {
    lead(&call)?;
    let key = key_of(&call)?;
    let (namespace, collection) = (key.namespace, key.collection.unwrap_or_default());
    let named = (namespace.clone(), collection.clone());
    let count = read(&call.state, move |_, view| {
        collection_of(view, &named.0, &named.1)?;
        Ok(view.count_documents(&named.0, &named.1)?)
    })
    .await?;
    if count > 0 {
        commit(&call, vec![Op::DeleteDocuments { namespace, collection }]).await?;
    }
    Ok(Answer::one(StatusCode::ACCEPTED, json!(null)).with("count", count.into()).into_response())
}
