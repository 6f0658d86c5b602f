//! The admin API for the other commands of the binary: asks with the client's own settings, and gives data or a text that
//! can be printed. It knows modules as a resource and nothing of what is in them.

use crate::answer;
use crate::failure::Failure;
use crate::options::Options;
use crate::request::Request;
use crate::run;
use crate::wire::Wire;
use base64::Engine;
use serde_json::{Value, json};
use std::io::IsTerminal as _;

/// One gateway.
pub struct Gateway {
    wire: Wire<'static>,
    address: String,
}

fn told(failure: &Failure) -> String {
    failure.text(std::io::stderr().is_terminal())
}

impl Gateway {
    /// With the settings of flags and environment; asks for a password where one is wanted. Nothing is sent yet.
    pub fn open(options: Options) -> Result<Self, String> {
        let open = || {
            let settings = options.resolve(&|name| std::env::var(name).ok())?;
            let credentials = run::credentials(&settings, &crate::terminal::ask)?;
            let address = settings.admin.to_string();
            Ok(Self {
                wire: Wire::new(settings.admin, credentials.as_deref(), settings.follow, None),
                address,
            })
        };
        open().map_err(|failure: Failure| told(&failure))
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The data of a target of the admin API.
    pub fn get(&mut self, target: &str) -> Result<Value, String> {
        self.send(&Request::get(target, "show", target))
    }

    /// What a target answers, as text.
    pub fn text(&mut self, target: &str) -> Result<String, String> {
        let answer =
            self.wire.send(&Request::get(target, "show", target)).map_err(|failure| told(&failure))?;
        if answer.status == 200 { Ok(answer.text) } else { Err(format!("{target}: {}", answer.status)) }
    }

    /// Creates or replaces a module from its source; `fields` are those that it has besides.
    pub fn put_module(
        &mut self,
        namespace: &str,
        name: &str,
        source: &str,
        fields: Value,
    ) -> Result<Value, String> {
        let payload = base64::engine::general_purpose::STANDARD.encode(source);
        let mut body = json!({ "name": name, "namespace": namespace, "payload": payload });
        if let (Some(all), Value::Object(fields)) = (body.as_object_mut(), fields) {
            all.extend(fields);
        }
        self.send(&Request {
            method: "PUT",
            target: "/api/v1/module".into(),
            body: Some(body),
            verb: "create",
            what: format!("module {namespace}/{name}"),
            name: name.into(),
        })
    }

    fn send(&mut self, request: &Request) -> Result<Value, String> {
        let answer = self.wire.send(request).and_then(|answer| answer::data(answer, request));
        answer.map_err(|failure| told(&failure))
    }
}
