//! The grammar by examples, what is refused and how, and that printing and reading are each other's opposite.

use super::*;
use proptest::prelude::*;

#[test]
fn entries_and_how_they_are_printed() {
    for (text, printed) in [
        ("auth", "auth"),
        ("auth:2", "auth:2"),
        ("auth:2.0-rc.1", "auth:2.0-rc.1"),
        ("auth@10%", "auth@10%"),
        ("auth:2@0.01%", "auth:2@0.01%"),
        ("auth@007.5000%", "auth@7.5%"),
        ("auth@0%", "auth@0%"),
        ("auth@100.0%;by=client", "auth@100%"),
        ("auth@1%;by=header:X-User", "auth@1%;by=header:x-user"),
        ("auth@1%;by=cookie:Uid", "auth@1%;by=cookie:Uid"),
        ("auth;when=header:X-Beta", "auth;when=header:x-beta"),
        ("auth;when=!header:x-beta=a=b c", "auth;when=!header:x-beta=a=b c"),
        ("auth;when=cookie:group=b;when=query:x[1]=", "auth;when=cookie:group=b;when=query:x[1]="),
        ("auth;when=method=POST;when=!path=/in", "auth;when=method=POST;when=!path=/in"),
        ("auth:2@5%;when=query:q;by=cookie:c", "auth:2@5%;by=cookie:c;when=query:q"),
    ] {
        let read: Selection = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(read.to_string(), printed, "{text}");
        assert_eq!(printed.parse(), Ok(read), "{printed}");
    }
}

/// Every sentence shows the right form.
#[test]
fn what_is_refused_and_what_is_said() {
    for (text, part) in [
        ("", "NAME or NAME:VERSION"),
        ("-a", "NAME or NAME:VERSION"),
        ("a b", "NAME or NAME:VERSION"),
        ("a:", "NAME or NAME:VERSION"),
        ("a:1:2", "NAME or NAME:VERSION"),
        ("a/b", "NAME or NAME:VERSION"),
        ("@1%", "NAME or NAME:VERSION"),
        ("a@", "like 'a@0.5%'"),
        ("a@10", "like 'a@0.5%'"),
        ("a@101%", "like 'a@0.5%'"),
        ("a@1.23456%", "like 'a@0.5%'"),
        ("a@.5%", "like 'a@0.5%'"),
        ("a@1e1%", "like 'a@0.5%'"),
        ("a@1%@2%", "like 'a@0.5%'"),
        ("a;by=client", "'a@10%;by=client'"),
        ("a@1%;by=client;by=client", "stands twice"),
        ("a@1%;by=user", ";by=cookie:NAME"),
        ("a@1%;by=cookie:", ";by=cookie:NAME"),
        ("a@1%;by=header:x y", ";by=cookie:NAME"),
        ("a;", "';by=' and ';when='"),
        ("a;if=x", "';by=' and ';when='"),
        ("a;when=", "with ! before it"),
        ("a;when=beta", "with ! before it"),
        ("a;when=header:", "with ! before it"),
        ("a;when=method", "with ! before it"),
        ("a;when=method=", "with ! before it"),
        ("a;when=path=x", "with ! before it"),
        ("a;when=path", "with ! before it"),
        ("a;when=!!path=/x", "with ! before it"),
        ("a;when=header:x=a\nb", "with ! before it"),
    ] {
        let why = text.parse::<Selection>().expect_err(text);
        assert!(why.contains(part), "{text}: {why}");
    }
}

#[track_caller]
fn faults(list: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
    check("modules", &list, &mut faults);
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn lists() {
    for (list, expected) in [
        (&["a", "b"][..], &[][..]),
        (&["a@10%", "a"], &[]),
        (&["a", "a:2@10%", "a:3@90%"], &[]),
        (&["a;when=query:x", "a;when=query:y", "a:2"], &[]),
        (&["a@60%;when=query:x", "a:2@60%;when=query:y"], &[]),
        (&["a", "a"], &["modules[1]: this module stands twice"]),
        (&["a@1%", "a@1.0%;by=client"], &["modules[1]: this module stands twice"]),
        (&["a", "b", "a:2"], &["modules[2]: 'a' and 'a:2' would both take every request"]),
        (&["a@60%", "a:2@50%"], &["modules[1]: with 50 % the shares of 'a' are more than 100 %"]),
        (&["a:1:2", "b@x%"], &["modules[0]: 'a:1:2' is no module", "modules[1]: '@x%' is no share"]),
    ] {
        let said = faults(list);
        assert_eq!(said.len(), expected.len(), "{list:?}: {said:?}");
        assert!(said.iter().zip(expected).all(|(said, text)| said.starts_with(text)), "{list:?}: {said:?}");
    }
}

#[test]
fn stages_keep_the_place_of_the_first_and_put_the_plain_one_last() {
    for (list, expected) in [
        (&["a", "b"][..], &[&[0][..], &[1]][..]),
        (&["a", "b", "a:2@10%"], &[&[2, 0], &[1]]),
        (&["a@1%", "a:2", "a:3;when=query:x"], &[&[0, 2, 1]]),
    ] {
        let list = all(&list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(stages(&list), expected);
    }
}

fn selection() -> impl Strategy<Value = Selection> {
    let token = || "[a-z0-9!#$%&'*+.^_`|~-]{1,8}".prop_map(|name| name.into_bytes().into_boxed_slice());
    let cookie = || "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}".prop_map(|name| name.into_bytes().into_boxed_slice());
    let value = || "[^;\\pC]{0,8}".prop_map(|value| value.into_bytes().into_boxed_slice());
    let subject = prop_oneof![
        (token().prop_map(Subject::Header), proptest::option::of(value())),
        (cookie().prop_map(Subject::Cookie), proptest::option::of(value())),
        ("[^;=\\pC]{1,8}".prop_map(|n| Subject::Query(n.into_bytes().into())), proptest::option::of(value())),
        "[A-Z]{1,8}".prop_map(|method| (Subject::Method, Some(method.into_bytes().into()))),
        "/[^;\\pC]{0,8}".prop_map(|path| (Subject::PathPrefix, Some(path.into_bytes().into()))),
    ];
    let condition = (any::<bool>(), subject).prop_map(|(is_negated, (subject, value))| Condition {
        is_negated,
        subject,
        value,
    });
    let sticky = prop_oneof![
        Just(Sticky::Client),
        token().prop_map(Sticky::Header),
        cookie().prop_map(Sticky::Cookie)
    ];
    let name = "[A-Za-z0-9_][A-Za-z0-9._-]{0,8}";
    (
        name,
        proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,8}"),
        proptest::option::of((0..=ALL, sticky)),
        prop::collection::vec(condition, 0..4),
    )
        .prop_map(|(name, version, share, when)| {
            let (share, sticky) =
                share.map_or((None, Sticky::Client), |(share, sticky)| (Some(share), sticky));
            Selection { name, version, share, sticky, when }
        })
}

proptest! {
    #[test]
    fn what_is_printed_reads_the_same(one in selection()) {
        prop_assert_eq!(one.to_string().parse(), Ok(one));
    }

    #[test]
    fn reading_never_panics_and_settles(text in "[a-c0-9:@%.;=!/ ]{0,12}|[a-c]{1,3}(@[0-9.]{0,4}%)?(;(by|when)=[a-z:=!/]{0,9}){0,3}|\\PC{0,20}") {
        if let Ok(read) = text.parse::<Selection>() {
            prop_assert_eq!(read.to_string().parse(), Ok(read));
        }
    }
}
