//! Why an operation is refused, by the names that the Web Cryptography API gives them. What is said here reaches
//! logs: it must never hold a part of a key or of a plaintext.

use std::borrow::Cow;

use rquickjs::{Ctx, Error, Exception};

/// The rule that was broken (Web Cryptography API, "Errors"; Web IDL, "DOMException").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The key or the data does not have the form it must have.
    Data,
    /// The key is not for this operation.
    Access,
    /// Known to the standard, and not here.
    Support,
    /// The operation itself failed.
    Operation,
    /// A bound was crossed.
    Quota,
    /// A usage that the key cannot have, or none where one must be.
    Syntax,
}

impl Rule {
    fn name(self) -> &'static str {
        match self {
            Rule::Data => "DataError",
            Rule::Access => "InvalidAccessError",
            Rule::Support => "NotSupportedError",
            Rule::Operation => "OperationError",
            Rule::Quota => "QuotaExceededError",
            Rule::Syntax => "SyntaxError",
        }
    }
}

/// A rule and a sentence: what is wrong and what to do.
#[derive(Debug)]
pub(super) struct Refusal {
    rule: Rule,
    why: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn data(why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { rule: Rule::Data, why: why.into() }
    }

    pub(super) fn access(why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { rule: Rule::Access, why: why.into() }
    }

    pub(super) fn support(why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { rule: Rule::Support, why: why.into() }
    }

    pub(super) fn operation(why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { rule: Rule::Operation, why: why.into() }
    }

    pub(super) fn quota(why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { rule: Rule::Quota, why: why.into() }
    }

    pub(super) fn syntax(why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { rule: Rule::Syntax, why: why.into() }
    }

    /// Throws an error with the rule's name; the prelude makes a `DOMException` of it.
    pub(super) fn throw(self, ctx: &Ctx<'_>) -> Error {
        let named = Exception::from_message(ctx.clone(), &self.why).and_then(|error| {
            error.as_object().set("name", self.rule.name())?;
            Ok(error)
        });
        match named {
            Ok(error) => error.throw(),
            Err(e) => e,
        }
    }
}
