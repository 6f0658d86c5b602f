//! The test suite: a part of Debian's source of Node.js, fetched once with apt's own client from the archive that
//! this machine is set up for, and never committed. Its version and checksum are pinned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE: &str = "nodejs_20.19.2+dfsg.orig.tar.xz";
const POOL: &str = "pool/main/n/nodejs";
const SHA256: &str = "5e5559381ad031d245a8efa403458abbb73755f74c3e6380f185a4dd342b7949";

/// Set to go without, on a machine that reaches no archive.
pub(crate) const SKIP: &str = "TIDEGATE_SKIP_WPT";

/// The suite's root; the reason, if it is not there and cannot be had.
pub(crate) fn root() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let root = target.join("wpt-node-20.19.2-with-files");
    if root.is_dir() {
        return Ok(root);
    }
    let fresh = target.join(format!("wpt-fetch-{}", std::process::id()));
    fs::create_dir_all(&fresh).map_err(|e| format!("{}: {e}", fresh.display()))?;
    let done = fetch(&fresh).and_then(|()| {
        // Another run may have been faster.
        fs::rename(fresh.join("wpt"), &root)
            .or_else(|e| if root.is_dir() { Ok(()) } else { Err(e) })
            .map_err(|e| e.to_string())
    });
    let _ = fs::remove_dir_all(&fresh);
    done.map(|()| root).map_err(|why| {
        format!("the web platform tests cannot be fetched: {why}. They come from Debian's source package nodejs; set {SKIP}=1 to go without them.")
    })
}

fn fetch(into: &Path) -> Result<(), String> {
    let archive = into.join(FILE);
    let urls = archives();
    let mut why = String::from("no Debian archive is configured in /etc/apt");
    for url in urls {
        let fetched = Command::new("/usr/lib/apt/apt-helper")
            .arg("download-file")
            .arg(format!("{}/{POOL}/{FILE}", url.trim_end_matches('/')))
            .arg(&archive)
            .arg(format!("SHA256:{SHA256}"))
            .output();
        why = match fetched {
            Ok(output) if output.status.success() => return unpack(&archive, into),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "),
            Err(e) => format!("apt-helper: {e}"),
        };
    }
    Err(why)
}

fn unpack(archive: &Path, into: &Path) -> Result<(), String> {
    let unpacked = Command::new("tar")
        .args(["--extract", "--wildcards", "--strip-components=3", "--file"])
        .arg(archive)
        .arg("--directory")
        .arg(into)
        .args(["*/test/fixtures/wpt/url", "*/test/fixtures/wpt/encoding", "*/test/fixtures/wpt/streams"])
        .args(["*/test/fixtures/wpt/dom", "*/test/fixtures/wpt/html", "*/test/fixtures/wpt/common"])
        .args(["*/test/fixtures/wpt/webidl", "*/test/fixtures/wpt/hr-time", "*/test/fixtures/wpt/fetch"])
        .args(["*/test/fixtures/wpt/WebCryptoAPI", "*/test/fixtures/wpt/FileAPI"])
        .output()
        .map_err(|e| format!("tar: {e}"))?;
    let failed = || format!("tar: {}", String::from_utf8_lossy(&unpacked.stderr).trim());
    if unpacked.status.success() && into.join("wpt/url").is_dir() { Ok(()) } else { Err(failed()) }
}

/// The archives that the machine's own package lists name.
fn archives() -> Vec<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|f| f.path()));
    let mut urls = Vec::new();
    for text in files.iter().filter_map(|f| fs::read_to_string(f).ok()) {
        for line in text.lines().map(str::trim) {
            let words = line.strip_prefix("URIs:").or_else(|| line.strip_prefix("deb "));
            let words = words.unwrap_or_default().split_whitespace();
            for url in words.filter(|w| w.contains("://") && w.trim_end_matches('/').ends_with("/debian")) {
                if !urls.iter().any(|known| known == url) {
                    urls.push(url.to_owned());
                }
            }
        }
    }
    urls
}
