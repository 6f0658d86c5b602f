//! Whatever is sent: parsing never panics, never repeats what must stay hidden, and what it accepts is a fixed point.

use super::*;
use proptest::prelude::*;

/// JSON that is close enough to resources to get past the first check.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("default".to_owned()),
        Just("http://localhost:1/a".to_owned()),
        Just("/a/{id}".to_owned()),
        Just("5ms".to_owned()),
        Just("4m".to_owned()),
        Just("cache".to_owned()),
        Just("*".to_owned()),
        Just("bGV0IHg=".to_owned()),
        "\\PC{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "name",
        "namespace",
        "id",
        "collection",
        "data",
        "tags",
        "urls",
        "retries",
        "retry_timeout_ms",
        "connectTimeout",
        "paths",
        "methods",
        "service",
        "modules",
        "payload",
        "payloadRaw",
        "moduleType",
        "patterns",
        "priority",
        "cert",
        "key",
        "schema",
        "visibility",
        "type",
        "createdAt",
        "strip_path",
        "permissions",
        "limits",
        "cpuMs",
        "memory_bytes",
    ]);
    leaf.prop_recursive(4, 64, 12, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..12)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_never_panics_and_settles(at in 0..Kind::ALL.len(), value in anything()) {
        let kind = Kind::ALL[at];
        match parse(kind, value) {
            Ok(parsed) => {
                let again = parse(kind, parsed.value.clone()).expect("what is stored can be read");
                prop_assert_eq!(again.value, parsed.value);
            }
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
    }

    #[test]
    fn faults_never_repeat_hidden_values(kind in prop::sample::select(vec![Kind::Secret, Kind::Domain, Kind::Module, Kind::Document]),
        mut value in anything()) {
        const HUSH: &str = "HUSHHUSHHUSH";
        if let Some(object) = value.as_object_mut() {
            for field in ["data", "cert", "key", "payload"] {
                if object.contains_key(field) {
                    object.insert(field.into(), HUSH.into());
                }
            }
        }
        if let Err(faults) = parse(kind, value) {
            prop_assert!(!format!("{faults:?}").contains(HUSH), "{faults:?}");
        }
    }

    #[test]
    fn text_never_panics(text in "\\PC{0,200}") {
        let _ = parse_json(text.as_bytes());
        let _ = text.parse::<Timespan>();
        let _ = parse_url(&text);
        let _ = parse_url(&format!("http://{text}"));
    }

    #[test]
    fn durations_survive(ns in any::<u64>()) {
        let span = Timespan(std::time::Duration::from_nanos(ns));
        prop_assert_eq!(span.to_string().parse::<Timespan>(), Ok(span));
    }
}
