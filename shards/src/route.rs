//! Which route answers a request: host to namespace, path and method to route. A connection remembers the namespace of
//! the host it asked for last.

use crate::fault::Fault;
use crate::tables::Tables;
use http::Method;
use std::ops::Range;
use std::sync::Arc;
use tidegate_codec::RequestHead;
use tidegate_snapshot::{Found, MethodSet, Namespace, Params, Route};

/// The route of a request and what its pattern captured.
pub struct Matched<'t> {
    /// The route.
    pub route: &'t Arc<Route>,
    /// Its namespace.
    pub namespace: &'t Arc<Namespace>,
    /// Names of the parameters.
    pub names: &'t [Box<str>],
    /// Where they stand in the canonical path.
    pub params: Params,
    /// Where the rest of the path begins, for a pattern that ends in one.
    pub rest: Option<usize>,
}

/// The host a connection asked for last, and what that meant under which snapshot.
#[derive(Default)]
pub struct Memo {
    host: Vec<u8>,
    generation: u64,
    namespace: Option<u32>,
    is_known: bool,
}

impl Memo {
    fn namespace(&mut self, tables: &Tables, host: &[u8]) -> Option<u32> {
        let generation = tables.snapshot.generation;
        if !self.is_known || self.generation != generation || self.host != host {
            self.is_known = true;
            self.generation = generation;
            self.host.clear();
            self.host.extend_from_slice(host);
            // The codec lets no host through that is not ASCII.
            let host = std::str::from_utf8(host).unwrap_or_default();
            self.namespace = tables.snapshot.domains.find(host);
        }
        self.namespace
    }
}

/// The namespace a request belongs to.
pub fn namespace<'t>(
    tables: &'t Tables,
    head: &RequestHead,
    memo: &mut Memo,
) -> Result<&'t Arc<Namespace>, Fault> {
    let index = memo.namespace(tables, head.host()).ok_or(Fault::NoNamespace)?;
    Ok(&tables.snapshot.namespaces[index as usize])
}

/// The route of a request.
pub fn find<'t>(tables: &'t Tables, head: &RequestHead, memo: &mut Memo) -> Result<Matched<'t>, Fault> {
    if matches!(*head.method(), Method::CONNECT | Method::TRACE) || head.path() == b"*" {
        return Err(Fault::MethodRefused);
    }
    let namespace = namespace(tables, head, memo)?;
    match namespace.routes.find(head.path(), head.method()) {
        Found::Match(found) => {
            if head.path_flags().encoded_slash && !found.value.allow_encoded_slash {
                return Err(Fault::EncodedSlash);
            }
            Ok(Matched {
                route: found.value,
                namespace,
                names: found.names,
                params: found.params,
                rest: found.rest,
            })
        }
        Found::MethodNotAllowed(_) => Err(Fault::MethodNotAllowed),
        Found::Nothing => Err(Fault::NoRoute),
    }
}

/// The methods that the request's path answers to, for an `Allow` field.
pub fn allowed(tables: &Tables, head: &RequestHead, memo: &mut Memo) -> MethodSet {
    let found =
        namespace(tables, head, memo).map(|namespace| namespace.routes.find(head.path(), head.method()));
    match found {
        Ok(Found::MethodNotAllowed(methods)) => methods,
        _ => MethodSet::default(),
    }
}

impl Matched<'_> {
    /// Name and place of each parameter.
    pub fn params(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.names.iter().map(|name| &**name).zip(self.params.ranges())
    }
}
