//! The web platform tests: a chosen set of other people's tests for the web-standard classes, run in our engine and
//! compared with the failures that are expected, each of which has a reason in `expected.txt`. A failure that is not
//! expected and a success that is not expected both fail this test. `TIDEGATE_WPT_LIST=1` prints what failed in the
//! form of that file.

mod host;
mod suite;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use tidegate_js::{Answer, Function, Grants, Language, Limits, Runtime, compile};

use host::{Nobody, SuiteHost};

/// The files that are run, by their path in the suite. Those in brackets are ours, over the suite's data.
const FILES: &[&str] = &[
    "url/url-constructor.any.js",
    "url/url-origin.any.js",
    "url/url-setters.any.js",
    "url/url-setters-stripping.any.js",
    "url/url-searchparams.any.js",
    "url/url-statics-canparse.any.js",
    "url/url-statics-parse.any.js",
    "url/url-tojson.any.js",
    "url/historical.any.js",
    "url/urlencoded-parser.any.js",
    "url/urlsearchparams-append.any.js",
    "url/urlsearchparams-constructor.any.js",
    "url/urlsearchparams-delete.any.js",
    "url/urlsearchparams-foreach.any.js",
    "url/urlsearchparams-get.any.js",
    "url/urlsearchparams-getall.any.js",
    "url/urlsearchparams-has.any.js",
    "url/urlsearchparams-set.any.js",
    "url/urlsearchparams-size.any.js",
    "url/urlsearchparams-sort.any.js",
    "url/urlsearchparams-stringifier.any.js",
    "urlpattern.js",
    "encoding/api-basics.any.js",
    "encoding/api-invalid-label.any.js",
    "encoding/api-replacement-encodings.any.js",
    "encoding/api-surrogates-utf8.any.js",
    "encoding/encodeInto.any.js",
    "encoding/textdecoder-arguments.any.js",
    "encoding/textdecoder-byte-order-marks.any.js",
    "encoding/textdecoder-copy.any.js",
    "encoding/textdecoder-eof.any.js",
    "encoding/textdecoder-fatal-streaming.any.js",
    "encoding/textdecoder-fatal.any.js",
    "encoding/textdecoder-ignorebom.any.js",
    "encoding/textdecoder-labels.any.js",
    "encoding/textdecoder-streaming.any.js",
    "encoding/textdecoder-utf16-surrogates.any.js",
    "encoding/textencoder-constructor-non-utf.any.js",
    "encoding/textencoder-utf16-surrogates.any.js",
    "encoding/streams/backpressure.any.js",
    "encoding/streams/decode-attributes.any.js",
    "encoding/streams/decode-bad-chunks.any.js",
    "encoding/streams/decode-ignore-bom.any.js",
    "encoding/streams/decode-incomplete-input.any.js",
    "encoding/streams/decode-non-utf8.any.js",
    "encoding/streams/decode-split-character.any.js",
    "encoding/streams/decode-utf8.any.js",
    "encoding/streams/encode-bad-chunks.any.js",
    "encoding/streams/encode-utf8.any.js",
    "encoding/streams/readable-writable-properties.any.js",
    "html/webappapis/atob/base64.any.js",
    "html/webappapis/structured-clone/structured-clone.any.js",
    "html/webappapis/microtask-queuing/queue-microtask.any.js",
    "html/webappapis/timers/cleartimeout-clearinterval.any.js",
    "html/webappapis/timers/missing-timeout-setinterval.any.js",
    "webidl/ecmascript-binding/es-exceptions/DOMException-constants.any.js",
    "webidl/ecmascript-binding/es-exceptions/DOMException-constructor-and-prototype.any.js",
    "webidl/ecmascript-binding/es-exceptions/DOMException-constructor-behavior.any.js",
    "webidl/ecmascript-binding/es-exceptions/DOMException-custom-bindings.any.js",
    "dom/events/AddEventListenerOptions-once.any.js",
    "dom/events/AddEventListenerOptions-passive.any.js",
    "dom/events/AddEventListenerOptions-signal.any.js",
    "dom/events/Event-constructors.any.js",
    "dom/events/Event-isTrusted.any.js",
    "dom/events/EventTarget-add-remove-listener.any.js",
    "dom/events/EventTarget-addEventListener.any.js",
    "dom/events/EventTarget-constructible.any.js",
    "dom/events/EventTarget-removeEventListener.any.js",
    "dom/abort/AbortSignal.any.js",
    "dom/abort/abort-signal-any.any.js",
    "dom/abort/event.any.js",
    "FileAPI/blob/Blob-array-buffer.any.js",
    "FileAPI/blob/Blob-bytes.any.js",
    "FileAPI/blob/Blob-constructor.any.js",
    "FileAPI/blob/Blob-slice-overflow.any.js",
    "FileAPI/blob/Blob-slice.any.js",
    "FileAPI/blob/Blob-stream.any.js",
    "FileAPI/blob/Blob-text.any.js",
    "FileAPI/file/File-constructor.any.js",
    "hr-time/basic.any.js",
    "hr-time/monotonic-clock.any.js",
    "streams/queuing-strategies.any.js",
    "streams/readable-streams/async-iterator.any.js",
    "streams/readable-streams/bad-strategies.any.js",
    "streams/readable-streams/bad-underlying-sources.any.js",
    "streams/readable-streams/cancel.any.js",
    "streams/readable-streams/constructor.any.js",
    "streams/readable-streams/count-queuing-strategy-integration.any.js",
    "streams/readable-streams/default-reader.any.js",
    "streams/readable-streams/floating-point-total-queue-size.any.js",
    "streams/readable-streams/from.any.js",
    "streams/readable-streams/general.any.js",
    "streams/readable-streams/patched-global.any.js",
    "streams/readable-streams/reentrant-strategies.any.js",
    "streams/readable-streams/tee.any.js",
    "streams/readable-streams/templated.any.js",
    "streams/piping/abort.any.js",
    "streams/piping/close-propagation-backward.any.js",
    "streams/piping/close-propagation-forward.any.js",
    "streams/piping/error-propagation-backward.any.js",
    "streams/piping/error-propagation-forward.any.js",
    "streams/piping/flow-control.any.js",
    "streams/piping/general-addition.any.js",
    "streams/piping/general.any.js",
    "streams/piping/multiple-propagation.any.js",
    "streams/piping/pipe-through.any.js",
    "streams/piping/then-interception.any.js",
    "streams/piping/throwing-options.any.js",
    "streams/piping/transform-streams.any.js",
    "streams/transform-streams/backpressure.any.js",
    "streams/transform-streams/cancel.any.js",
    "streams/transform-streams/errors.any.js",
    "streams/transform-streams/flush.any.js",
    "streams/transform-streams/general.any.js",
    "streams/transform-streams/lipfuzz.any.js",
    "streams/transform-streams/patched-global.any.js",
    "streams/transform-streams/properties.any.js",
    "streams/transform-streams/reentrant-strategies.any.js",
    "streams/transform-streams/strategies.any.js",
    "streams/transform-streams/terminate.any.js",
    "streams/writable-streams/aborting.any.js",
    "streams/writable-streams/bad-strategies.any.js",
    "streams/writable-streams/bad-underlying-sinks.any.js",
    "streams/writable-streams/byte-length-queuing-strategy.any.js",
    "streams/writable-streams/close.any.js",
    "streams/writable-streams/constructor.any.js",
    "streams/writable-streams/count-queuing-strategy.any.js",
    "streams/writable-streams/error.any.js",
    "streams/writable-streams/floating-point-total-queue-size.any.js",
    "streams/writable-streams/general.any.js",
    "streams/writable-streams/properties.any.js",
    "streams/writable-streams/reentrant-strategy.any.js",
    "streams/writable-streams/start.any.js",
    "streams/writable-streams/write.any.js",
    "WebCryptoAPI/digest/digest.https.any.js",
    "WebCryptoAPI/getRandomValues.any.js",
    "WebCryptoAPI/sign_verify/hmac.https.any.js",
    "WebCryptoAPI/sign_verify/ecdsa.https.any.js",
    "WebCryptoAPI/sign_verify/eddsa.https.any.js",
    "WebCryptoAPI/sign_verify/rsa_pkcs.https.any.js",
    "WebCryptoAPI/sign_verify/rsa_pss.https.any.js",
    "WebCryptoAPI/encrypt_decrypt/aes_gcm.https.any.js",
    "WebCryptoAPI/import_export/ec_importKey.https.any.js",
    "WebCryptoAPI/import_export/rsa_importKey.https.any.js",
    "WebCryptoAPI/import_export/symmetric_importKey.https.any.js",
    "WebCryptoAPI/import_export/okp_importKey_failures_Ed25519.https.any.js",
    "WebCryptoAPI/generateKey/failures_AES-GCM.https.any.js",
    "WebCryptoAPI/generateKey/failures_ECDSA.https.any.js",
    "WebCryptoAPI/generateKey/failures_Ed25519.https.any.js",
    "WebCryptoAPI/generateKey/failures_HMAC.https.any.js",
    "WebCryptoAPI/generateKey/successes_AES-GCM.https.any.js",
    "WebCryptoAPI/generateKey/successes_ECDSA.https.any.js",
    "WebCryptoAPI/generateKey/successes_Ed25519.https.any.js",
    "WebCryptoAPI/generateKey/successes_HMAC.https.any.js",
];

const SHIM: &str = include_str!("shim.js");
const EXPECTED: &str = concat!(include_str!("expected.txt"), "\n", include_str!("expected_crypto.txt"));

/// Test name → why it failed; empty if it did not.
type Outcomes = BTreeMap<String, String>;

#[test]
fn web_platform_tests() {
    if std::env::var_os(suite::SKIP).is_some() {
        eprintln!("left out, as {} says", suite::SKIP);
        return;
    }
    let root = suite::root().unwrap_or_else(|why| panic!("{why}"));
    let host = SuiteHost::new(root, pattern_data());
    let expected = expectations();
    let only = std::env::var("TIDEGATE_WPT_ONLY").unwrap_or_default();
    let listing = std::env::var_os("TIDEGATE_WPT_LIST").is_some();
    let (mut passed, mut failed, mut wrong) = (0, 0, Vec::new());
    for file in FILES.iter().filter(|f| f.contains(&only)) {
        let outcomes = run(file, &host);
        let patterns = expected.get(*file).map_or(&[][..], Vec::as_slice);
        let mut used = vec![false; patterns.len()];
        if listing {
            println!("[{file}]");
        }
        for (name, why) in &outcomes {
            let at = patterns.iter().position(|pattern| matches(pattern, name));
            match (why.is_empty(), at) {
                (true, _) => passed += 1,
                (false, Some(at)) => {
                    used[at] = true;
                    failed += 1;
                }
                (false, None) => wrong.push(format!("{file}: {name:?} failed: {why}")),
            }
            if listing && !why.is_empty() {
                println!("; {}\n{}", why.escape_debug(), name.escape_debug());
            }
        }
        let stale = patterns.iter().zip(&used).filter(|(_, used)| !**used);
        wrong.extend(
            stale.map(|(pattern, _)| format!("{file}: {pattern:?} is expected to fail and does not")),
        );
    }
    println!("{passed} passed, {failed} failed as expected");
    assert!(wrong.is_empty(), "{} surprises:\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed > 0, "nothing was run");
}

/// `*` at the end stands for any rest, and one `…` before that for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let name = name.escape_debug().to_string();
    let (pattern, open) = pattern.strip_suffix('*').map_or((pattern, false), |start| (start, true));
    let fits = |name: &str, part: &str| if open { name.starts_with(part) } else { name == part };
    match pattern.split_once('…') {
        None => fits(&name, pattern),
        Some((start, rest)) => name
            .strip_prefix(start)
            .is_some_and(|tail| tail.char_indices().any(|(at, _)| fits(&tail[at..], rest))),
    }
}

/// `[file]`, then `; reason` above the names it is for.
fn expectations() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut file, mut has_reason) = ("", false);
    for line in EXPECTED.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if let Some(name) =
            line.strip_prefix('[').and_then(|l| l.strip_suffix(']')).filter(|l| FILES.contains(l))
        {
            (file, has_reason) = (name, false);
        } else if line.starts_with("; ") {
            has_reason = true;
        } else {
            assert!(has_reason && !file.is_empty(), "expected.txt: {line:?} has no reason or no file");
            all.entry(file).or_default().push(line);
        }
    }
    all
}

fn run(file: &str, host: &SuiteHost) -> Outcomes {
    let source = match file {
        "urlpattern.js" => include_str!("urlpattern.js").to_owned(),
        _ => source(&host.root, file),
    };
    let base = file.rsplit_once('/').map_or(String::new(), |(dir, _)| format!("{dir}/"));
    let entry = format!(
        "import {{ suite, run as runAll }} from './shim';\nsuite.base = 'http://suite.test/{base}';\n{source}\nexport const requestHandler = () => runAll();"
    );
    let load = |name, text: &str| {
        compile(name, text, Language::JavaScript).map(|c| c.code()).map_err(|d| format!("{d:?}"))
    };
    let result = load("suite", &entry).and_then(|entry| {
        let modules = [entry, load("shim", SHIM)?];
        let limits = Limits {
            cpu_ms: 120_000,
            boot_cpu_ms: 120_000,
            memory_bytes: 512 << 20,
            stack_bytes: 512 << 10,
            pending: 10_000,
            timers: 10_000,
            fetches: 100,
            ..Limits::default()
        };
        let runtime = Runtime::new(&modules, limits, Grants::all(), Rc::new(host.clone()))
            .map_err(|f| format!("{f} {}", f.stack))?;
        let mut lease = runtime.lease(Rc::new(Nobody)).map_err(|f| f.to_string())?;
        host.drive(lease.call(Function::RequestHandler)).map_err(|f| format!("{f} {}", f.stack))
    });
    match result {
        Ok(Answer::Text(json)) => pairs(&json),
        Ok(Answer::Nothing) => [("(all)".to_owned(), "no outcomes".to_owned())].into(),
        Err(why) => [("(all)".to_owned(), why)].into(),
    }
}

/// A file of the suite behind the scripts that it asks for.
fn source(root: &Path, file: &str) -> String {
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let text = read(&root.join(file));
    let mut all = String::new();
    for script in text.lines().filter_map(|l| l.strip_prefix("// META: script=")) {
        let path = match script.strip_prefix('/') {
            Some(absolute) => root.join(absolute),
            None => root.join(file).parent().map(|dir| dir.join(script)).unwrap_or_default(),
        };
        all.push_str(&read(&path));
        all.push('\n');
    }
    // In a block, as some declare again what the scripts before them did.
    format!("{all}{{\n{text}\n}}")
}

/// `[["name", "why"], …]`
fn pairs(json: &str) -> Outcomes {
    let parsed: Vec<(String, String)> = serde_json::from_str(json).expect("the shim gives an array of pairs");
    parsed.into_iter().collect()
}

/// The test data of URL patterns, which the crate has in its package.
fn pattern_data() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .ok()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let package = metadata["packages"].as_array()?.iter().find(|p| p["name"] == "urlpattern")?;
    let manifest = Path::new(package["manifest_path"].as_str()?);
    Some(manifest.parent()?.join("src/testdata/urlpatterntestdata.json"))
}
