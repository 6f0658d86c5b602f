//! Metrics of parts of the process that the admin plane does not know: the process hands in a function that reads them,
//! and a scrape shows what it gives. It must not wait for anything.

use super::text::Exposition;
use std::fmt;
use std::sync::Arc;

/// One sample, below the family that the samples before it may have begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Name of the family.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// What it counts, for people.
    pub help: &'static str,
    /// A label and its value.
    pub label: (&'static str, &'static str),
    /// The value.
    pub value: u64,
}

/// What a scrape asks.
#[derive(Clone, Default)]
pub struct OtherMetrics(Option<Arc<dyn Fn() -> Vec<Sample> + Send + Sync>>);

impl OtherMetrics {
    /// Asks this function. Samples of one family follow each other.
    pub fn new(read: impl Fn() -> Vec<Sample> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(read)))
    }

    /// The text of a scrape.
    pub(crate) fn render(&self) -> String {
        let mut out = Exposition::default();
        let samples = self.0.as_ref().map(|read| read()).unwrap_or_default();
        let mut family = "";
        for sample in &samples {
            if sample.name != family {
                family = sample.name;
                out.family(sample.name, sample.kind, sample.help);
            }
            out.sample(sample.name, &[sample.label], sample.value);
        }
        out.finish()
    }
}

impl fmt::Debug for OtherMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OtherMetrics").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_below_their_family() {
        let sample = |name, label, value| Sample { name, kind: "counter", help: "Help.", label, value };
        let others = OtherMetrics::new(move || {
            vec![
                sample("a_total", ("k", "x"), 1),
                sample("a_total", ("k", "y"), 2),
                sample("b_total", ("k", "x"), 3),
            ]
        });
        assert_eq!(
            others.render(),
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{k=\"x\"} 1\na_total{k=\"y\"} 2\n\
             # HELP b_total Help.\n# TYPE b_total counter\nb_total{k=\"x\"} 3\n"
        );
        assert_eq!(OtherMetrics::default().render(), "");
    }
}
