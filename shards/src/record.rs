//! The access record: one line per answered request that is sampled, gathered in a buffer that the recorder takes when it
//! is full. Formatting is all that a shard does for it; credentials do not get as far as the buffer.

mod escape;
mod format;
mod json;
mod line;
mod pen;
mod redact;
mod sample;
mod stamp;
#[cfg(test)]
mod tests;

pub use format::RecordFormat;
pub use line::{Line, Said};
pub use redact::Redaction;
pub use sample::{Rate, Sampling};

use crate::fault::Culprit;
use format::Shape;
use line::Desk;
use sample::Turn;
use stamp::Stamps;
use std::cell::{Cell, RefCell};
use tidegate_codec::Fields;
use tidegate_snapshot::RecordSink;

/// Room that one more line may need; a longer line grows its buffer.
const LINE_BYTES: usize = 2 << 10;
/// Emptied lists of response fields that are kept.
const MAX_SPARE: usize = 256;

/// What lines are written, and how.
#[derive(Clone, Debug, Default)]
pub struct RecordRules {
    /// How a line looks.
    pub format: RecordFormat,
    /// What is left out of it.
    pub redaction: Redaction,
    /// How many there are.
    pub sampling: Sampling,
}

/// The shard's access records, where somebody wants them.
pub struct Records {
    rules: RecordRules,
    open: RefCell<Option<Open>>,
    /// Response fields of the format, where there are any and lines are wanted.
    shows_said: bool,
    spare: Cell<Vec<Said>>,
}

struct Open {
    sink: Box<dyn RecordSink>,
    lines: Vec<u8>,
    stamps: Stamps,
    all: Turn,
    errors: Turn,
}

impl Line<'_> {
    /// Whether it is one that nobody wants to miss: more than the client being wrong.
    fn is_error(&self) -> bool {
        self.status >= 500 || self.fault.is_some_and(|fault| fault.culprit() != Culprit::Client)
    }
}

impl Records {
    /// Records into a sink, or not at all.
    pub fn new(sink: Option<Box<dyn RecordSink>>, rules: RecordRules) -> Self {
        Self {
            shows_said: sink.is_some() && !rules.format.said().is_empty(),
            rules,
            open: RefCell::new(sink.map(|mut sink| {
                let lines = sink.buffer();
                Open { sink, lines, stamps: Stamps::new(), all: Turn::default(), errors: Turn::default() }
            })),
            spare: Cell::default(),
        }
    }

    /// Keeps what lines show of a response's fields: they are gone when the line is written.
    pub fn keep(&self, said: &mut Option<Said>, fields: &Fields) {
        self.keep_found(said, |name| fields.get(name.as_bytes()));
    }

    /// The same for fields that stand elsewhere.
    pub fn keep_found<'f>(&self, said: &mut Option<Said>, field: impl Fn(&str) -> Option<&'f [u8]>) {
        if !self.shows_said {
            return;
        }
        let kept = said.get_or_insert_with(|| {
            let mut spare = self.spare.take();
            let kept = spare.pop().unwrap_or_default();
            self.spare.set(spare);
            kept
        });
        kept.clear();
        self.rules.format.said().iter().for_each(|name| kept.push(field(name)));
    }

    /// Takes what was kept back, once its line is written.
    pub fn forget(&self, said: Option<Said>) {
        if let Some(said) = said {
            let mut spare = self.spare.take();
            if spare.len() < MAX_SPARE {
                spare.push(said);
            }
            self.spare.set(spare);
        }
    }

    /// Adds a line, if it is one of the sample.
    pub fn add(&self, line: &Line<'_>) {
        if let Some(open) = &mut *self.open.borrow_mut() {
            open.add(line, &self.rules);
        }
    }

    /// Hands over what is there: nobody should have to wait long for a line.
    pub fn flush(&self) {
        if let Some(open) = &mut *self.open.borrow_mut() {
            open.stamps.adjust();
            if !open.lines.is_empty() {
                open.submit();
            }
        }
    }
}

impl Open {
    fn add(&mut self, line: &Line<'_>, rules: &RecordRules) {
        let (turn, rate) = if line.is_error() {
            (&mut self.errors, &rules.sampling.errors)
        } else {
            (&mut self.all, &rules.sampling.all)
        };
        if !turn.takes(rate) {
            return;
        }
        let mut desk = Desk { stamps: &mut self.stamps, redaction: &rules.redaction, rate: rate.text() };
        match &rules.format.0 {
            Shape::Json => line.json(&mut self.lines, &mut desk),
            Shape::Template(template) => line.template(&mut self.lines, template, &mut desk),
        }
        if self.lines.len() + LINE_BYTES > self.lines.capacity() {
            self.submit();
        }
    }

    fn submit(&mut self) {
        let next = self.sink.buffer();
        self.sink.submit(std::mem::replace(&mut self.lines, next));
    }
}
