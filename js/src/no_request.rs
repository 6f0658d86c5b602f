//! The exchange of a run that no client asked for. Modules are given no `ctx` there; whatever reaches this all the same
//! finds nothing, and writing is refused.

use std::rc::Rc;

use crate::host::{Described, Exchange, Pending, Refused, RequestPart, Side};

/// See the module's text.
#[derive(Debug, Clone)]
pub struct NoRequest {
    /// Id of the run, as logs show it.
    pub id: String,
}

fn refused<T>() -> Result<T, Refused> {
    Err(Refused("the request is over: a scheduled run has none".into()))
}

impl Exchange for NoRequest {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn describe(&self, _: Described) -> Option<Rc<str>> {
        None
    }

    fn path_params(&self, _: &mut dyn FnMut(&str, &str)) {}

    fn field(&self, _: Side, _: &str, _: &mut dyn FnMut(&[u8])) {}

    fn fields(&self, _: Side, _: &mut dyn FnMut(&[u8], &[u8])) {}

    fn set_field(&self, _: Side, _: &str, _: &[u8]) -> Result<(), Refused> {
        refused()
    }

    fn add_field(&self, _: Side, _: &str, _: &[u8]) -> Result<(), Refused> {
        refused()
    }

    fn remove_field(&self, _: Side, _: &str) -> Result<bool, Refused> {
        refused()
    }

    fn request_part(&self, _: RequestPart) -> String {
        String::new()
    }

    fn set_request_part(&self, _: RequestPart, _: &str) -> Result<(), Refused> {
        refused()
    }

    fn status(&self, _: Side) -> u16 {
        0
    }

    fn set_status(&self, _: Side, _: u16) -> Result<(), Refused> {
        refused()
    }

    fn upstream_protocol(&self) -> String {
        String::new()
    }

    fn trailers(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}

    fn content_length(&self, _: Side) -> Option<u64> {
        None
    }

    fn read_body(&self, _: Side) -> Pending<Result<Rc<[u8]>, Refused>> {
        Box::pin(std::future::ready(refused()))
    }

    fn write_body(&self, _: Side, _: Vec<u8>) -> Result<(), Refused> {
        refused()
    }

    fn end_response(&self) -> Result<(), Refused> {
        refused()
    }

    fn response_ended(&self) -> bool {
        true
    }
}
