//! Folders that must be refused, and those that must not.

use super::{Rules, Store, StoreError, verify};
use heed::types::{Bytes, Str};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn refused(dir: &Path) -> String {
    Store::open(dir).unwrap_err().to_string()
}

#[test]
fn a_new_folder_is_private() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    let store = Store::open(&dir).unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(store.view().unwrap().meta().unwrap().revision, 0);
    drop(store);
    Store::open(&dir).unwrap();
}

#[test]
fn what_is_no_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("data.mdb"), [7; 16_384]).unwrap();
    assert!(refused(dir.path()).contains("is not a usable data folder"), "{}", refused(dir.path()));

    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "theirs", "format", "1");
    assert!(refused(dir.path()).contains("another program"));

    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "meta", "version", "1");
    assert!(refused(dir.path()).contains("no format version"));

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(matches!(Store::open(&dir.path().join("file")), Err(StoreError::Io { .. })));
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    write(dir.path(), "meta", "format", "2");
    assert!(refused(dir.path()).contains("format 2"), "{}", refused(dir.path()));
}

#[test]
fn a_truncated_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store
        .write_with(|tables, txn| {
            (0..500u64).try_for_each(|n| tables.changes.put(txn, &n, &[7; 500])).map_err(StoreError::from)
        })
        .unwrap();
    drop(store);
    let file = fs::OpenOptions::new().write(true).open(dir.path().join("data.mdb")).unwrap();
    file.set_len(16_384).unwrap();
    assert!(refused(dir.path()).contains("truncated"), "{}", refused(dir.path()));
}

#[test]
fn damage_to_a_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.write_with(|tables, txn| Ok(tables.state.put(txn, b"\x02n\0\0s", b"{}")?)).unwrap();
    drop(store);
    let report = verify(dir.path(), &() as &dyn Rules).unwrap();
    assert!(!report.ok && report.scanned_hash != report.state_hash, "{report:?}");
}

#[test]
fn there_must_be_a_store_to_verify() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(verify(dir.path(), &()), Err(StoreError::Foreign { .. })));
    assert!(!dir.path().join("data.mdb").exists(), "verify makes nothing");
}

/// Part of the next test: run by itself, it only opens a store.
#[test]
fn opens_in_little_address_space() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap();
}

#[test]
fn limited_address_space_makes_the_map_smaller() {
    let test = std::env::current_exe().unwrap();
    let opened = Command::new("sh")
        .args(["-c", "ulimit -v 6000000; exec \"$0\" --exact store::tests::opens_in_little_address_space"])
        .arg(test)
        .output()
        .unwrap();
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stdout));
}

/// Puts a record into an environment as another program would.
fn write(dir: &Path, table: &str, key: &str, value: &str) {
    // SAFETY: nobody else has the folder.
    let env = unsafe { heed::EnvOpenOptions::new().max_dbs(16).open(dir) }.unwrap();
    let txn = env.write_txn().unwrap();
    env.create_databases_and_commit(txn, |opener, txn| -> Result<_, heed::Error> {
        let table = opener.create_database::<Str, Bytes>(txn, Some(table))?;
        table.put(txn, key, value.as_bytes())?;
        Ok(heed::CommitOrAbort::<_, ()>::Commit(table))
    })
    .unwrap();
}
