//! Scrapes of many pages: nothing is lost or said twice between them, and what ten thousand routes cost.

use super::*;
use crate::metrics::text::tests::families;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_snapshot::{RouteReport, ShardReport};

fn of_routes(count: usize) -> Registry {
    let mut registry = Registry::default();
    let routes = (0..count).map(|route| RouteReport {
        key: Arc::from(format!("namespace-{}/route-{route}", route % 100)),
        responses: [0, 1_000 + route as u64, 0, 3, 0],
        latency: [7_654; 16],
        latency_sum_us: 123_456_789,
        upstream_errors: 0,
    });
    registry.absorb(ShardReport { routes: routes.collect(), ..ShardReport::default() });
    registry
}

#[test]
fn pages_are_the_whole() {
    for (count, pages) in [(0, 1), (1, 1), (50, 2), (1_000, 30)] {
        let registry = of_routes(count);
        let (mut scrape, mut text) = Scrape::begin(&registry, &Book::default());
        let mut found = 0;
        while let Some(page) = scrape.page(&registry) {
            assert!(page.ends_with('\n') && page.len() < PAGE_BYTES + 4_096, "{}", page.len());
            text += &page;
            found += 1;
        }
        assert!(found <= pages && (found > 1) == (pages > 1), "{count} routes: {found} pages");
        families(&text);
        let lines = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(lines("tidegate_requests_total{"), 2 * count);
        assert_eq!(lines("tidegate_request_duration_seconds_bucket{"), 16 * count);
        assert_eq!(lines("tidegate_upstream_errors_total{"), count);
    }
}

#[test]
fn a_row_that_goes_between_two_pages_does_no_harm() {
    let mut registry = of_routes(200);
    let (mut scrape, mut text) = Scrape::begin(&registry, &Book::default());
    text += &scrape.page(&registry).expect("a page");
    let last = scrape.after.clone().expect("there is more of the family");
    registry.routes.remove(&last);
    while let Some(page) = scrape.page(&registry) {
        text += &page;
    }
    families(&text);
    assert_eq!(text.lines().filter(|line| line.starts_with("tidegate_upstream_errors_total{")).count(), 199);
}

/// Also says what it cost: `cargo test --release -p tidegate-admin ten_thousand -- --nocapture`.
#[test]
fn ten_thousand_routes_hold_nobody_for_long() {
    let registry = of_routes(10_000);
    let began = Instant::now();
    let (mut scrape, first) = Scrape::begin(&registry, &Book::default());
    let (mut bytes, mut pages, mut longest) = (first.len(), 1, Duration::ZERO);
    loop {
        let page_began = Instant::now();
        let Some(page) = scrape.page(&registry) else { break };
        longest = longest.max(page_began.elapsed());
        bytes += page.len();
        pages += 1;
    }
    let took = began.elapsed();
    println!("10,000 routes: {bytes} bytes in {pages} pages, {took:?} in all, {longest:?} the longest page");
    assert!(bytes > 10_000_000 && pages > 100);
    // Generous: a build without optimisation on a machine that does other things.
    assert!(took < Duration::from_secs(20), "{took:?}");
}
