//! Reads whole byte streams as a gateway does, for the corpora and the fuzzer: head, body, next head; and writes messages anew.
//! It must use nothing but the public interface of the codec.

use tidegate_codec::{
    BodyDecoder, BodyFraming, FieldKind, Fields, HeadLimits, Malformed, RequestHead, ResponseHead, encode,
};

pub const LIMITS: HeadLimits = HeadLimits { line_bytes: 8192, head_bytes: 32768, fields: 100 };

/// One message as it was understood. A message whose body was not all there is not `complete`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Method, path, query, host and port; or status and reason.
    pub about: String,
    /// What a gateway would forward.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub framing: BodyFraming,
    pub body: Vec<u8>,
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
    pub complete: bool,
    /// The message written anew, unless it is of a kind that is never forwarded.
    pub encoded: Option<Vec<u8>>,
}

/// Why reading stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Starved,
    Refused(Malformed),
    /// The sender said that nothing follows, or what follows is not HTTP/1.
    Closed,
}

/// A request stream in pieces that end at `cuts` (ascending).
pub fn requests(input: &[u8], cuts: &[usize]) -> (Vec<Message>, End) {
    let mut head = RequestHead::default();
    read(input, cuts, |buffer| {
        match head.parse(buffer, &LIMITS) {
            Ok(true) => check_request(&head),
            Ok(false) => return Ok(None),
            Err(malformed) => {
                assert!(head.path().is_empty() && head.host().is_empty() && head.fields.is_empty());
                return Err(malformed);
            }
        }
        let text = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
        let about = format!(
            "{} {} {:?} {} {:?}",
            head.method(),
            text(head.path()),
            head.query().map(text),
            text(head.host()),
            head.port()
        );
        let is_tunnel = *head.method() == http::Method::CONNECT || head.wants_upgrade();
        let mut encoded = Vec::new();
        encode::request_line(&mut encoded, head.method(), head.path(), head.query());
        let started = start(about, &head.fields, head.body(), encoded);
        // A gateway puts in the Host that an HTTP/1.0 request lacks; here there is none to put in.
        let has_host = head.fields.get_kind(FieldKind::Host).is_some();
        let can_be_forwarded = *head.method() != http::Method::CONNECT && has_host;
        Ok(Some((started, head.keep_alive() && !is_tunnel, can_be_forwarded)))
    })
}

/// A response stream, all of it to requests of that method.
#[allow(dead_code)] // The corpora are requests only.
pub fn responses(input: &[u8], cuts: &[usize], method: &http::Method) -> (Vec<Message>, End) {
    let mut head = ResponseHead::default();
    read(input, cuts, |buffer| {
        match head.parse(buffer, &LIMITS, method) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(malformed) => {
                assert!(head.reason().is_empty() && head.fields.is_empty());
                return Err(malformed);
            }
        }
        assert!((100..=999).contains(&head.status()));
        let about = format!("{} {:?}", head.status(), String::from_utf8_lossy(head.reason()));
        let mut encoded = Vec::new();
        encode::status_line(&mut encoded, head.status(), head.reason());
        let started = start(about, &head.fields, head.body(), encoded);
        let goes_on = head.keep_alive() || head.body() == BodyFraming::UntilClose;
        let goes_on = goes_on && head.status() != 101;
        // What an empty reason is written as is not empty; what follows a 101 is not HTTP/1.
        Ok(Some((started, goes_on, !head.reason().is_empty() && head.status() != 101)))
    })
}

/// A message up to its body, and what to read it with.
type Started = (Message, Vec<u8>);

fn start(about: String, fields: &Fields, framing: BodyFraming, encoded: Vec<u8>) -> Started {
    let kept = fields.iter().filter(|(kind, ..)| !kind.is_hop_by_hop());
    let kept = kept.filter(|(kind, ..)| !matches!(kind, FieldKind::ContentLength | FieldKind::Expect));
    let fields = kept.map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect();
    let message = Message {
        about,
        fields,
        framing,
        body: Vec::new(),
        trailers: Vec::new(),
        complete: false,
        encoded: None,
    };
    (message, encoded)
}

/// `next_head` answers a head, whether another message may follow, and whether the message can be written anew.
fn read(
    input: &[u8],
    cuts: &[usize],
    mut next_head: impl FnMut(&mut Vec<u8>) -> Result<Option<(Started, bool, bool)>, Malformed>,
) -> (Vec<Message>, End) {
    let mut messages = Vec::new();
    let mut buffer = Vec::new();
    let mut fed = 0;
    let mut ends = cuts.iter().copied().chain([input.len()]);
    let mut feed = |buffer: &mut Vec<u8>| match ends.next() {
        Some(end) => {
            buffer.extend_from_slice(&input[fed..end]);
            fed = end;
            true
        }
        None => false,
    };
    loop {
        let ((mut message, encoded), goes_on, can_be_forwarded) = match next_head(&mut buffer) {
            Ok(Some(started)) => started,
            Ok(None) if feed(&mut buffer) => continue,
            Ok(None) => return (messages, End::Starved),
            Err(malformed) => return (messages, End::Refused(malformed)),
        };
        let mut decoder = BodyDecoder::new(message.framing);
        while !decoder.is_done() {
            let decoded = match decoder.decode(&buffer) {
                Ok(decoded) => decoded,
                Err(malformed) => {
                    // How much of it was seen before depends on the pieces.
                    message.body.clear();
                    messages.push(message);
                    return (messages, End::Refused(malformed));
                }
            };
            assert!(decoded.data.start <= decoded.data.end && decoded.data.end <= decoded.consumed);
            assert_eq!(decoded.done, decoder.is_done());
            message.body.extend_from_slice(&buffer[decoded.data]);
            buffer.drain(..decoded.consumed);
            if decoded.consumed == 0 && !decoded.done && !feed(&mut buffer) && decoder.end_of_input().is_err()
            {
                messages.push(message);
                return (messages, End::Starved);
            }
        }
        message.trailers = decoder.trailers().iter().map(|(_, n, v)| (n.to_vec(), v.to_vec())).collect();
        message.complete = true;
        if can_be_forwarded {
            message.encoded = Some(write(&message, encoded, decoder.trailers()));
        }
        messages.push(message);
        if !goes_on {
            return (messages, End::Closed);
        }
    }
}

/// The rest of a message behind its first line, in the one way that this codec writes it.
fn write(message: &Message, mut out: Vec<u8>, trailers: &Fields) -> Vec<u8> {
    for (name, value) in &message.fields {
        encode::field(&mut out, name, value);
    }
    match message.framing {
        BodyFraming::None => encode::end_of_head(&mut out),
        BodyFraming::Chunked => {
            encode::field(&mut out, b"Transfer-Encoding", b"chunked");
            encode::end_of_head(&mut out);
            encode::chunk(&mut out, &message.body);
            encode::last_chunk(&mut out, Some(trailers));
        }
        BodyFraming::Length(_) | BodyFraming::UntilClose => {
            encode::field_u64(&mut out, b"Content-Length", message.body.len() as u64);
            encode::end_of_head(&mut out);
            out.extend_from_slice(&message.body);
        }
    }
    out
}

/// What must hold for every request that was accepted.
fn check_request(head: &RequestHead) {
    assert!(head.path() == b"*" || head.path().starts_with(b"/"));
    assert!(head.path().iter().all(|&b| b > b' ' && b != 0x7f && !b"\\?#".contains(&b)));
    assert!(head.query().unwrap_or_default().iter().all(|&b| b > b' ' && b != 0x7f && b != b'#'));
    assert!(!head.host().iter().any(|b| b.is_ascii_uppercase() || b"@/ ".contains(b)));
    assert_ne!(head.body(), BodyFraming::UntilClose);
    for (_, name, value) in head.fields.iter() {
        assert!(!name.is_empty() && name.iter().all(|b| b.is_ascii_graphic() && *b != b':'));
        assert!(value.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7f)));
    }
}

/// A message that was written anew is understood as it was, and written the same again.
pub fn check_encoded(message: &Message, read_again: impl Fn(&[u8]) -> (Vec<Message>, End)) {
    let Some(encoded) = &message.encoded else { return };
    let shown = String::from_utf8_lossy(encoded);
    let (again, end) = read_again(encoded);
    let [again] = &again[..] else { panic!("{} messages, {end:?}, from {shown:?}", again.len()) };
    assert_eq!(end, End::Starved, "{shown:?}");
    let parts = |m: &Message| (m.about.clone(), m.fields.clone(), m.body.clone(), m.trailers.clone());
    assert_eq!(parts(again), parts(message), "{shown:?}");
    assert_eq!(again.encoded.as_ref(), Some(encoded), "{shown:?}");
}
