//! The grammar of the format, for every text that is made here.

use super::*;
use std::collections::HashSet;

/// Checks a whole exposition: every family once and in one piece, and every line in the grammar.
#[track_caller]
pub(in crate::metrics) fn families(text: &str) {
    let (mut families, mut current) = (HashSet::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split(' ').next().unwrap_or("").to_owned();
            assert!(families.insert(current.clone()), "{current} stands twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert_eq!(name, current);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let own = name == current
                || ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end) == Some(&current));
            assert!(own, "{line} is outside its family {current}");
            let (_, value) = line.rsplit_once(' ').expect(line);
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn samples_by_examples() {
    let mut out = Exposition::default();
    out.family("a_total", "counter", "Two\nlines.");
    out.count("a_total", &[], 7);
    out.count("a_total", &[("l", "q\"b\\n\n"), ("m", "")], u64::MAX);
    out.family("h", "histogram", "Times.");
    out.histogram("h", &[("l", "\"")], &["0.1", "2"], [1, 1, 3].into_iter(), "4.5");
    let text = out.finish();
    families(&text);
    assert_eq!(
        text,
        "# HELP a_total Two\\nlines.\n# TYPE a_total counter\na_total 7\n\
         a_total{l=\"q\\\"b\\\\n\\n\",m=\"\"} 18446744073709551615\n\
         # HELP h Times.\n# TYPE h histogram\n\
         h_bucket{l=\"\\\"\",le=\"0.1\"} 1\nh_bucket{l=\"\\\"\",le=\"2\"} 1\nh_bucket{l=\"\\\"\",le=\"+Inf\"} 3\n\
         h_sum{l=\"\\\"\"} 4.5\nh_count{l=\"\\\"\"} 3\n"
    );
}
