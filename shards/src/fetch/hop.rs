//! One request and the head of its answer on one connection. A small body leaves with the head; any other goes up as a
//! task of its own while the answer is awaited, and an early answer counts.

use super::download::{Download, Incoming};
use super::head;
use super::trouble::Trouble;
use super::upload::{Ended, Source, Upload};
use super::url::Url;
use super::{Fetcher, Ongoing};
use crate::body::Body;
use crate::limits::Limits;
use crate::link::Link;
use crate::wire::{Broken, Input};
use http::Method;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tidegate_codec::{BodyFraming, Fields, ResponseHead};
use tidegate_js::{Chunks, HttpResponse};
use tidegate_reactor::{Cut, clock};

/// Interim responses that one request may get.
const MAX_INTERIM: usize = 16;

/// The checked request.
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The module's own fields.
    pub fields: Fields,
    /// Its body.
    pub body: Sent,
    /// When the head must be here at the latest, on the coarse clock; and the time that this was.
    pub due: Due,
}

/// A body as it may be sent, perhaps twice.
pub enum Sent {
    /// None.
    Empty,
    /// Whole.
    Whole(Rc<[u8]>),
    /// Pieces, which can be had once.
    Pieces(Rc<dyn Chunks>),
}

/// Until when.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// For what happens before the request has been sent, and after.
    pub most: Duration,
    /// The module's own bound, over everything.
    pub own_ms: Option<u64>,
    /// When it began, on the coarse clock.
    pub began_ms: u64,
}

impl Due {
    /// What is left of both bounds, the gateway's counting from `since_ms`.
    fn left_since(&self, since_ms: u64) -> Duration {
        let now = clock::coarse_ms();
        let left = self.most.saturating_sub(Duration::from_millis(now.saturating_sub(since_ms)));
        self.own_left().map_or(left, |own| own.min(left))
    }

    /// What is left.
    pub fn left(&self) -> Duration {
        self.left_since(self.began_ms)
    }

    /// What is left of the module's own bound.
    fn own_left(&self) -> Option<Duration> {
        let gone = clock::coarse_ms().saturating_sub(self.began_ms);
        self.own_ms.map(|own| Duration::from_millis(own.saturating_sub(gone)))
    }

    /// The trouble of being late.
    pub fn late(&self) -> Trouble {
        let own = self.own_ms.map(Duration::from_millis);
        Trouble::Late(own.map_or(self.most, |own| own.min(self.most)))
    }
}

/// Why a hop failed, and whether the request may be sent again on another connection.
pub struct Failed {
    /// Why.
    pub trouble: Trouble,
    /// The connection had been kept and was closed without a byte of an answer.
    pub is_stale: bool,
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, is_stale: false }
    }
}

/// Sends the request and reads the answer's head.
pub async fn run(
    fetcher: &Rc<Fetcher>,
    request: &Request,
    mut link: Box<Link>,
    ongoing: Ongoing,
) -> Result<HttpResponse, (Failed, Ongoing)> {
    let was_reused = link.is_reused;
    let mut is_answered = false;
    match answered(fetcher, request, &mut link, &mut is_answered).await {
        Ok(upload) => Ok(response(fetcher, link, upload, ongoing)),
        Err(trouble) => {
            let is_stale = was_reused && !is_answered && matches!(trouble, Trouble::Closed);
            Err((Failed { trouble, is_stale }, ongoing))
        }
    }
}

async fn answered(
    fetcher: &Fetcher,
    request: &Request,
    link: &mut Link,
    is_answered: &mut bool,
) -> Result<Option<Upload>, Trouble> {
    let limits = &fetcher.limits;
    let Some(mut output) = link.output.take() else { return Err(Trouble::Closed) };
    let (framing, source) = match &request.body {
        Sent::Empty if head::announces_no_body(&request.method) => (BodyFraming::Length(0), None),
        Sent::Empty => (BodyFraming::None, None),
        Sent::Whole(bytes) => {
            let is_large = bytes.len() > limits.relay_buffer_bytes;
            (BodyFraming::Length(bytes.len() as u64), is_large.then(|| Source::Whole(bytes.clone())))
        }
        Sent::Pieces(pieces) => (BodyFraming::Chunked, Some(Source::Pieces(pieces.clone()))),
    };
    head::write(&mut output.buffer, &request.method, &request.url, &request.fields, framing);
    let Some(source) = source else {
        if let Sent::Whole(bytes) = &request.body {
            output.buffer.extend_from_slice(bytes);
        }
        let written = output.flush(request.due.left().min(limits.write_timeout)).await;
        written.map_err(|broken| match broken {
            Broken::Closed => Trouble::Closed,
            Broken::Late => Trouble::WriteLate,
        })?;
        link.output = Some(output);
        let Link { input, head, .. } = link;
        input.reader.deadline().arm(request.due.left(), Cut::Both);
        read_head(input, head, request, limits, is_answered).await?;
        input.reader.deadline().disarm();
        return Ok(None);
    };
    let upload = Upload::start(output, source, limits);
    let Link { input, head, output, .. } = link;
    match request.due.own_left() {
        Some(own) => input.reader.deadline().arm(own, Cut::Both),
        None => input.reader.deadline().disarm(),
    }
    let mut is_uploading = true;
    let result = {
        let mut read = pin!(read_head(input, head, request, limits, is_answered));
        poll_fn(|context| {
            if is_uploading && let Poll::Ready(ended) = upload.poll_ended(context) {
                is_uploading = false;
                let (sent, is_whole) = match ended {
                    Ended::Sent(sent) => (sent, true),
                    // A server that stops reading may have answered already.
                    Ended::Stuck(sent) => (sent, false),
                    Ended::Source(why) => return Poll::Ready(Err(Trouble::Body(why))),
                };
                // The gateway's bound counts from the end of the upload, whose progress has one of its own.
                let left = request.due.left_since(clock::coarse_ms());
                sent.writer.reading_deadline().arm(left, Cut::Both);
                *output = Some(sent).filter(|_| is_whole);
            }
            read.as_mut().poll(context)
        })
        .await
    };
    result?;
    input.reader.deadline().disarm();
    // An early success may be an echo that wants the rest of the body; after an early error nothing more is sent.
    Ok(Some(upload).filter(|_| is_uploading && head.status() < 400))
}

/// Reads the head of the final response and passes over interim ones (RFC 9110 section 15.2). `is_answered` is set with
/// the first byte of a response.
async fn read_head(
    input: &mut Input,
    head: &mut ResponseHead,
    request: &Request,
    limits: &Limits,
    is_answered: &mut bool,
) -> Result<(), Trouble> {
    let mut interim = 0;
    loop {
        match head.parse(&mut input.buffer, &limits.response_head, &request.method) {
            Ok(true) => match head.status() {
                200..=599 => return Ok(()),
                status @ (101 | 600..) => return Err(Trouble::Status(status)),
                _ if interim == MAX_INTERIM => return Err(Trouble::Interim),
                _ => interim += 1,
            },
            Ok(false) => match input.fill(limits.connection_buffer_bytes * 4).await {
                Ok(0) | Err(Broken::Closed) => return Err(Trouble::Closed),
                Ok(_) => *is_answered = true,
                Err(Broken::Late) => return Err(request.due.late()),
            },
            Err(rule) => return Err(Trouble::Response(rule)),
        }
    }
}

/// What the module gets.
fn response(
    fetcher: &Rc<Fetcher>,
    link: Box<Link>,
    upload: Option<Upload>,
    ongoing: Ongoing,
) -> HttpResponse {
    let head = &link.head;
    let (status, reason) = (head.status(), String::from_utf8_lossy(head.reason()).into_owned());
    let (fields, is_kept) = (head::response_fields(head), head.keep_alive());
    let body = Body::new(head.body(), u64::MAX);
    let incoming = Box::new(Incoming { link, body, is_kept, _ongoing: ongoing });
    HttpResponse { status, reason, fields, body: Download::new(fetcher.clone(), incoming, upload) }
}
