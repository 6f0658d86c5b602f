//! Every kind but documents, in both styles: version 1 names resources in the body and the query, version 2 in the path.
//! Without `?namespace=` a list holds all namespaces (what version 2's client asks for) and a single resource is that
//! of `default` (what version 1's does).

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::write::{commit, created, etag, lead, missing, namespace_key, read};
use crate::change::{Key, Kind, Op};
use crate::invalid::Invalid;
use crate::resource::{self, DEFAULT_NAMESPACE, Namespace, public_form};
use crate::store::View;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

/// `PUT /X`: the resource is in the body; answered with all of the kind in its namespace.
pub(crate) async fn put_body(mut call: Call, kind: Kind) -> Result<Response, Refusal> {
    lead(&call)?;
    let mut value = call.json().await?;
    if let Some(object) = value.as_object_mut()
        && kind != Kind::Namespace
        && object.get("namespace").is_none_or(Value::is_null)
        && let Ok(namespace) = call.namespace()
    {
        object.insert("namespace".into(), namespace.into());
    }
    let key = put(&call, kind, value).await?.0;
    let rows = rows(&call, kind, (kind != Kind::Namespace).then(|| key.namespace.clone())).await?;
    Ok(Answer::list(created(false), rows).into_response())
}

/// `PUT /X/{namespace}/{name}` and `PUT /namespace/{name}`: the path names the resource; answered with it.
pub(crate) async fn put_path(mut call: Call, kind: Kind) -> Result<Response, Refusal> {
    lead(&call)?;
    let mut value = call.json().await?;
    let mut faults = Vec::new();
    if let Some(object) = value.as_object_mut() {
        let names: &[&str] = if kind == Kind::Namespace { &["name"] } else { &["namespace", "name"] };
        for name in names {
            let wanted = Value::from(call.param(name));
            match object.get(*name) {
                Some(said) if !said.is_null() && *said != wanted => {
                    faults.push(Invalid::new(*name, "is another one than in the path"));
                }
                _ => drop(object.insert((*name).to_owned(), wanted)),
            }
        }
    }
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults));
    }
    let (_, stored) = put(&call, kind, value).await?;
    let tag = etag(&stored);
    Ok(Answer::one(created(true), public_form(kind, stored)).tagged(tag).into_response())
}

async fn put(call: &Call, kind: Kind, mut value: Value) -> Result<(Key, Value), Refusal> {
    if kind == Kind::Domain {
        keep_certificate(call, &mut value).await?;
    }
    // A module's payload is large and a collection's schema is compiled: not on the async thread.
    let parsed = tokio::task::spawn_blocking(move || resource::parse(kind, value))
        .await
        .map_err(|_| Refusal::Internal("a task that checks a resource panicked".into()))?
        .map_err(Refusal::Invalid)?;
    let (key, stored) = (parsed.key.clone(), parsed.value.clone());
    commit(call, vec![parsed.into_put()]).await?;
    Ok((key, stored))
}

/// A certificate is never shown, so somebody who reads a domain, changes it and writes it back does not send it. It
/// stays, unless the body says something about it.
async fn keep_certificate(call: &Call, value: &mut Value) -> Result<(), Refusal> {
    let Some(object) = value.as_object_mut() else { return Ok(()) };
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(namespace), Some(name)) = (text("namespace"), text("name")) else { return Ok(()) };
    if ["cert", "key"].iter().any(|field| object.get(*field).is_some_and(|value| !value.is_null())) {
        return Ok(());
    }
    let key = Key { kind: Kind::Domain, namespace, collection: None, name };
    if let Some(mut stored) = read(&call.state, move |_, view| Ok(view.get(&key)?)).await? {
        for field in ["cert", "key"] {
            if let Some(pem) = stored.get_mut(field) {
                object.insert(field.into(), pem.take());
            }
        }
    }
    Ok(())
}

/// `GET /X`: a list.
pub(crate) async fn list(call: Call, kind: Kind) -> Result<Response, Refusal> {
    let namespace = call.query("namespace").filter(|_| kind != Kind::Namespace).map(str::to_owned);
    Ok(Answer::list(StatusCode::OK, rows(&call, kind, namespace).await?).into_response())
}

async fn rows(call: &Call, kind: Kind, namespace: Option<String>) -> Result<Vec<Value>, Refusal> {
    read(&call.state, move |inner, view| {
        let mut rows: Vec<Value> = view
            .list(kind, namespace.as_deref())?
            .into_iter()
            .map(|(_, value)| public_form(kind, value))
            .collect();
        let implicit = kind == Kind::Namespace && inner.settings.default_namespace;
        if implicit && !rows.iter().any(|row| row["name"] == DEFAULT_NAMESPACE) {
            rows.push(json!(Namespace::implicit()));
            rows.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        }
        Ok(rows)
    })
    .await
}

/// `GET /X/{name}?namespace=` and `GET /X/{namespace}/{name}`: one.
pub(crate) async fn get(call: Call, kind: Kind) -> Result<Response, Refusal> {
    let key = key_of(&call, kind)?;
    let stored = read(&call.state, move |inner, view| {
        let stored = view.get(&key)?;
        let implicit = key.kind == Kind::Namespace && key.name == DEFAULT_NAMESPACE;
        match stored {
            Some(stored) => Ok(stored),
            None if implicit && inner.settings.default_namespace => Ok(json!(Namespace::implicit())),
            None => Err(Refusal::NotFound(missing(&key))),
        }
    })
    .await?;
    let tag = etag(&stored);
    Ok(Answer::one(StatusCode::OK, public_form(kind, stored)).tagged(tag).into_response())
}

/// The key that path and query name.
fn key_of(call: &Call, kind: Kind) -> Result<Key, Refusal> {
    let name = call.param("name").to_owned();
    if kind == Kind::Namespace {
        return Ok(namespace_key(&name));
    }
    let namespace = match call.param("namespace") {
        "" => call.namespace()?,
        namespace => namespace,
    };
    Ok(Key { kind, namespace: namespace.to_owned(), collection: None, name })
}

/// `DELETE /X`: the body names the resource.
pub(crate) async fn delete_body(mut call: Call, kind: Kind) -> Result<Response, Refusal> {
    lead(&call)?;
    let body = call.json().await?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(name) = text("name").map(str::to_owned) else {
        return Err(Refusal::Invalid(vec![Invalid::new("name", "is missing")]));
    };
    let key = if kind == Kind::Namespace {
        namespace_key(&name)
    } else {
        let namespace = match text("namespace") {
            Some(namespace) => namespace.to_owned(),
            None => call.namespace()?.to_owned(),
        };
        Key { kind, namespace, collection: None, name }
    };
    // DGate's version 1 answers so, and its client expects it.
    let status = if kind == Kind::Service { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED };
    delete(&call, key, status).await
}

/// `DELETE /X/{namespace}/{name}` and `DELETE /namespace/{name}`.
pub(crate) async fn delete_path(call: Call, kind: Kind) -> Result<Response, Refusal> {
    let key = key_of(&call, kind)?;
    delete(&call, key, StatusCode::OK).await
}

/// `DELETE /collection/{name}?namespace=`, which is version 1's only deletion by path.
pub(crate) async fn delete_name(call: Call, kind: Kind) -> Result<Response, Refusal> {
    let key = key_of(&call, kind)?;
    delete(&call, key, StatusCode::ACCEPTED).await
}

async fn delete(call: &Call, key: Key, status: StatusCode) -> Result<Response, Refusal> {
    commit(call, vec![Op::Delete { key }]).await?;
    Ok(Answer::one(status, Value::Null).into_response())
}

/// Reads one resource inside a view.
pub(crate) fn collection_of(
    view: &View<'_>,
    namespace: &str,
    name: &str,
) -> Result<resource::Collection, Refusal> {
    let key = Key {
        kind: Kind::Collection,
        namespace: namespace.to_owned(),
        collection: None,
        name: name.to_owned(),
    };
    let stored = view.get(&key)?.ok_or_else(|| Refusal::NotFound(missing(&key)))?;
    serde_json::from_value(stored).map_err(|_| Refusal::Internal(format!("collection {name} cannot be read")))
}
