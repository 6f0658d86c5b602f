//! The TypeScript compiler's opinion of the types: the examples, the quick start and a new project pass it under `strict`. It comes
//! from npm into the target folder, once.

use crate::{project, repository};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The version of the compiler, exactly.
const VERSION: &str = "5.9.3";

/// The compiler, or nothing where the environment says so.
fn compiler() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        if std::env::var_os("TIDEGATE_SKIP_NPM").is_some() {
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("typescript-{VERSION}"));
        let compiler = folder.join("node_modules/typescript/bin/tsc");
        if !compiler.is_file() {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(folder.join("package.json"), "{ \"private\": true }").expect("written");
            let npm = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", &format!("typescript@{VERSION}")])
                .current_dir(&folder)
                .output()
                .unwrap_or_else(|e| {
                    panic!("npm is needed to check types ({e}): install it, or set TIDEGATE_SKIP_NPM=1")
                });
            let said = String::from_utf8_lossy(&npm.stderr).into_owned();
            assert!(
                npm.status.success(),
                "npm could not install TypeScript, TIDEGATE_SKIP_NPM=1 leaves this out:\n{said}"
            );
        }
        Some(compiler)
    };
    FOUND.get_or_init(install).as_deref()
}

/// What the compiler says of a project; empty if nothing.
fn complaints(project: &Path) -> Option<String> {
    let output = Command::new("node")
        .arg(compiler()?)
        .args(["--pretty", "false", "-p"])
        .arg(project)
        .output()
        .expect("node starts");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn examples_and_the_quick_start_are_typed() {
    if let Some(complaints) = complaints(&repository("tools/examples")) {
        assert_eq!(complaints, "");
    }
}

#[test]
fn a_new_project_is_typed_and_mistakes_are_found() {
    let (_folder, shop) = project();
    let Some(before) = complaints(&shop) else { return };
    assert_eq!(before, "");
    let wrong = [
        ("ctx.request().header.set('a', 'b')", "'header' does not exist"),
        ("ctx.response().status('200')", "not assignable to parameter of type 'number'"),
        ("ctx.upstream().statusCode", "possibly 'null'"),
        ("document.title", "Cannot find name 'document'"),
        ("process.env", "Cannot find name 'process'"),
        ("require('fs')", "Cannot find name 'require'"),
    ];
    let lines: Vec<&str> = wrong.iter().map(|(line, _)| *line).collect();
    let source = format!(
        "import type {{ Context }} from 'tidegate';\nexport function requestModifier(ctx: Context): void {{\n{}\n}}",
        lines.join(";\n")
    );
    std::fs::write(shop.join("src/wrong.ts"), source).expect("written");
    let after = complaints(&shop).unwrap_or_default();
    for (at, (line, complaint)) in wrong.iter().enumerate() {
        let place = format!("wrong.ts({},", at + 3);
        let found = after.lines().any(|said| said.contains(&place) && said.contains(complaint));
        assert!(found, "{line} should have been found:\n{after}");
    }
}
