//! Once its buffers have grown, the codec allocates nothing per message: counted, not hoped for.
//! One test only, since the count is that of the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use tidegate_codec::{BodyDecoder, HeadLimits, RequestHead, ResponseHead, encode};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMITS: HeadLimits = HeadLimits { line_bytes: 8192, head_bytes: 32768, fields: 100 };

/// Everything that is kept from message to message.
#[derive(Default)]
struct Kept {
    request: RequestHead,
    response: ResponseHead,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Kept {
    fn exchange(&mut self) {
        self.input.extend_from_slice(
            b"POST /%61/b%2fc?d HTTP/1.1\r\nHost: A.Example:80\r\nConnection: close, x\r\nX: y\r\n\
              Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
        );
        assert_eq!(self.request.parse(&mut self.input, &LIMITS), Ok(true));
        self.request.fields.set(b"X-Forwarded-For", b"1.2.3.4").expect("a plain field");
        self.request.fields.set(b"x", b"a value longer than before").expect("a plain field");
        self.request.set_path(b"/rewritten/%7epath").expect("a plain path");
        self.output.clear();
        let head = &self.request;
        encode::request_line(&mut self.output, head.method(), head.path(), head.query());
        let fields = head.fields.iter().filter(|(kind, ..)| !kind.is_hop_by_hop());
        fields.for_each(|(_, name, value)| encode::field(&mut self.output, name, value));
        encode::end_of_head(&mut self.output);
        let mut body = BodyDecoder::new(head.body());
        let decoded = body.decode(&self.input).expect("a good body");
        assert!(decoded.done);
        encode::chunk(&mut self.output, &self.input[decoded.data]);
        encode::last_chunk(&mut self.output, Some(body.trailers()));
        self.input.clear();

        self.input.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: s\r\n\r\n");
        let parsed = self.response.parse(&mut self.input, &LIMITS, self.request.method());
        assert_eq!(parsed, Ok(true));
        encode::status_line(&mut self.output, self.response.status(), self.response.reason());
        encode::field_u64(&mut self.output, b"Content-Length", 3);
    }
}

#[test]
fn the_steady_state_allocates_nothing() {
    let mut kept = Kept::default();
    for _ in 0..10 {
        kept.exchange();
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..1000 {
        kept.exchange();
    }
    // The test harness has a thread of its own, which may allocate a little at any time.
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert!(allocations < 50, "{allocations} allocations in 1000 exchanges");
}
