//! The laws of the house, checked as a test. Each law is a pure function from files to violations and has tests of
//! its own that show it can fail; the tests in this file run it over the repository's own tree. What is data (who may
//! import whom, which room comes after which, which names are banned) stands at the top of its law's file, so that the
//! house grows on purpose.

mod files;
mod hot_path;
mod house;
mod imports;
mod lexer;
mod manifest;
mod map;
mod measured;
mod order;
mod source;
mod top_level;
mod unfinished;
mod workspace;

use house::{House, Violation};

/// Fails with every violation of a law.
#[track_caller]
fn obeys(law: &str, violations: Vec<Violation>) {
    if !violations.is_empty() {
        let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
        panic!("{} violations of the law of {law}:\n{}\n", lines.len(), lines.join("\n"));
    }
}

#[test]
fn the_top_level_holds_what_it_should() {
    obeys("the top level", top_level::check(&House::read().paths()));
}

#[test]
fn packages_import_only_whom_they_may() {
    obeys("imports", House::read().each(|path| path.ends_with("Cargo.toml"), imports::check));
}

#[test]
fn rooms_of_the_data_plane_are_in_order() {
    obeys("one way", House::read().each(order::applies, order::check));
}

#[test]
fn the_hot_path_waits_for_nobody() {
    obeys("the hot path", House::read().each(hot_path::applies, hot_path::check));
}

#[test]
fn files_are_small_named_well_and_say_what_they_are_for() {
    obeys("files", House::read().each(|path| path.ends_with(".rs"), files::check));
}

#[test]
fn nothing_is_left_unfinished() {
    obeys("finished work", House::read().each(unfinished::applies, unfinished::check));
}

#[test]
fn the_map_in_the_readme_is_the_house() {
    let house = House::read();
    let readme = house.text("README.md").unwrap_or_default();
    obeys("the map", map::check(readme, house.text("Cargo.toml").unwrap_or_default(), &house.paths()));
}

#[test]
fn the_figures_in_the_readme_are_what_was_measured() {
    let house = House::read();
    let outputs = house.paths().into_iter().filter(|path| path.starts_with("perf/measured/"));
    let outputs: Vec<&str> = outputs.filter_map(|path| house.text(path)).collect();
    obeys("the figures", measured::check(house.text("README.md").unwrap_or_default(), &outputs));
}

#[test]
fn every_package_is_a_full_member() {
    let house = House::read();
    obeys("the workspace", workspace::check(&house.manifests()));
}
