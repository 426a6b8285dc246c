//! Masking by example, and its laws: any cut gives the same output, no secret of a kind is left.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn redactor() -> Arc<Redactor> {
    Arc::new(Redactor::new(&Secret::new(vec![7; 32])).unwrap())
}

fn masked(text: &str) -> String {
    let mut stream = MaskedStream::new(redactor());
    let mut out = Vec::new();
    stream.push(text.as_bytes(), &mut out);
    stream.finish(&mut out);
    String::from_utf8(out).unwrap()
}

/// Tags replaced, so that a table can be read.
fn shown(text: &str) -> String {
    let out = masked(text);
    let mut plain = String::new();
    let mut rest = out.as_str();
    while let Some(at) = rest.find(" #") {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        rest = if before.rfind(MARKER_OPEN) > before.rfind(']') { &after[6..] } else { &after[2..] };
    }
    plain + rest
}

fn jwt(payload: &str) -> String {
    format!(
        "{}.{}.c2lnbmF0dXJl",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

/// Put together, so that no scanner takes this file for a leak.
fn fake(prefix: &str, len: usize) -> String {
    prefix.to_owned() + &"aB3dE5gH7jK9".repeat(6)[..len]
}

#[test]
fn the_quick_look_sees_every_needle_wherever_it_stands() {
    let finder = spans::Finder::new().unwrap();
    let quiet = |n: usize| "the quick brown fox jumps over it; ".bytes().cycle().take(n).collect::<Vec<_>>();
    for lead in [0, 1, 30, 31, 32, 200, 250, 255, 256, 4_070, 4_090, 4_096, 9_000] {
        let text = quiet(lead);
        assert_eq!((finder.first(&text), finder.any(&text)), (None, false), "{lead}");
        for needle in ["key", "TOKEN", "Pwd", "://", "eyJ", "-----BEGIN ", "hooks.slack.com/services/", "8Q~"]
        {
            let mut text = quiet(lead);
            text.push(b' ');
            text.extend_from_slice(needle.as_bytes());
            for tail in [0, 1, 40, 300] {
                let text = [text.clone(), quiet(tail)].concat();
                assert_eq!(finder.first(&text), Some(lead + 1), "{needle} behind {lead} before {tail}");
            }
        }
    }
}

#[test]
fn shapes_are_masked() {
    let person = jwt(r#"{"sub":"ann"}"#);
    let account = jwt(r#"{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:a:b"}"#);
    let aws = "AKIA".to_owned() + "IOSFODNN7EXAMPLE";
    let table: &[(String, &str)] = &[
        (format!("got {person}, ok"), "got [masked:jwt], ok"),
        (format!("sa {account}"), "sa [masked:service_account]"),
        ("eyJust a word.".into(), "eyJust a word."),
        (format!("id {aws} used"), "id [masked:aws] used"),
        (format!("push {}", fake("ghp_", 36)), "push [masked:github]"),
        (format!("{}.", fake("github_pat_", 40)), "[masked:github]."),
        (fake("glpat-", 20), "[masked:gitlab]"),
        (fake("xoxb-", 24), "[masked:slack]"),
        (fake("sk_live_", 24), "[masked:stripe]"),
        (fake("npm_", 36), "[masked:npm]"),
        (fake("AIza", 35), "[masked:gcp]"),
        ("npm_config_cache set".into(), "npm_config_cache set"),
        (format!("https://x/y?se=1&sig={}", fake("", 44)), "https://x/y?se=1&sig=[masked:azure]"),
        ("postgres://app:s3cr3t@db:5432/x?y=a@b".into(), "postgres://[masked:url]@db:5432/x?y=a@b"),
        ("see http://example.org/a@b".into(), "see http://example.org/a@b"),
        (
            format!("https://hooks.slack.com/services/{}", fake("T1/B2/", 24)),
            "https://hooks.slack.com/services/[masked:slack]",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text), *expected, "{text}");
    }
}

#[test]
fn headers_and_names_are_masked() {
    let table: &[(&str, &str)] = &[
        ("Authorization: Bearer abc.def", "Authorization: Bearer [masked:authorization]"),
        (r#"{"authorization":"Basic dXNlcjpwYXNz"}"#, r#"{"authorization":"Basic [masked:authorization]"}"#),
        ("map[Authorization:[Bearer abc]]", "map[Authorization:[Bearer [masked:authorization]]]"),
        ("curl -H 'Authorization: token abc' x", "curl -H 'Authorization: token [masked:authorization]' x"),
        ("sent Bearer 0123456789abcdef now", "sent Bearer [masked:authorization] now"),
        ("authorization failed: no right", "authorization failed: no right"),
        ("Cookie: sid=1; theme=dark", "Cookie: [masked:cookie]"),
        (r#""Set-Cookie":["sid=abc; Path=/"]"#, r#""Set-Cookie":["[masked:cookie]"]"#),
        ("cookie: none", "cookie: none"),
        ("DB_PASSWORD=hunter2 DB_HOST=x", "DB_PASSWORD=[masked:named] DB_HOST=x"),
        (r#"PASSWORD="two words" x"#, r#"PASSWORD="[masked:named]" x"#),
        (r#"{"apiKey":"abc","user":"ann"}"#, r#"{"apiKey":"[masked:named]","user":"ann"}"#),
        (r#"{"log":"{\"password\":\"abc\"}"}"#, r#"{"log":"{\"password\":\"[masked:named]\"}"}"#),
        (r#"{"m":"\nPASSWORD=abc\nX=1"}"#, r#"{"m":"\nPASSWORD=[masked:named]\nX=1"}"#),
        (
            "run --password=abc --token def --dry-run",
            "run --password=[masked:named] --token [masked:named] --dry-run",
        ),
        ("GET /x?token=abc&y=1", "GET /x?token=[masked:named]&y=1"),
        ("  client-key-data: LS0tLS1CRUdJTg==", "  client-key-data: [masked:kubeconfig]"),
        (r#""auths":{"r.io":{"auth":"dXNlcjpwYXNz"}}"#, r#""auths":{"r.io":{"auth":"[masked:docker]"}}"#),
        ("aws_secret_access_key = abcdef", "aws_secret_access_key = [masked:aws]"),
        ("AccountName=x;AccountKey=abc==;End", "AccountName=x;AccountKey=[masked:azure];End"),
        // What must stay.
        ("key=default/web monkey=1 keyboard=2", "key=default/web monkey=1 keyboard=2"),
        ("bypass=1 author=ann tokens=5 authored: yes", "bypass=1 author=ann tokens=5 authored: yes"),
        ("token: ok password= next", "token: ok password= next"),
        (r#"{"token":null,"password":""}"#, r#"{"token":null,"password":""}"#),
        ("if token == expected", "if token == expected"),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text), *expected, "{text}");
    }
}

#[test]
fn private_keys_are_masked_to_their_end_whatever_stands_between() {
    let begin = "-----BEGIN RSA PRIVATE".to_owned() + " KEY-----";
    let end = "-----END RSA PRIVATE".to_owned() + " KEY-----";
    let text = format!("a {begin}\nMIIE\nx\n{end} b\nafter\n");
    expect![[r#"
        a [masked:pem]
        [masked:pem]
        [masked:pem]
        [masked:pem] b
        after
    "#]]
    .assert_eq(&shown(&text));
    assert_eq!(
        shown(&format!("{{\"k\":\"{begin}\\nMIIE\\n{end}\\n\",\"x\":1}}")),
        "{\"k\":\"[masked:pem]\\n\",\"x\":1}"
    );
    assert_eq!(shown("-----BEGIN CERTIFICATE-----\nMIIE"), "-----BEGIN CERTIFICATE-----\nMIIE");
    // Without an end it stops after 64 KiB.
    let long = format!("{begin}\n{}last\n", "A".repeat(63) + "\n");
    assert!(!masked(&long).contains("last"));
    let far = format!("{begin}\n{}shown\n", ("A".repeat(63) + "\n").repeat(1_100));
    assert!(masked(&far).ends_with("shown\n"));
}

#[test]
fn equal_values_look_equal_and_keys_matter() {
    let text = "PASSWORD=same x\nTOKEN=same\nTOKEN=other\n";
    let out = masked(text);
    let tags: Vec<_> = out.split(" #").skip(1).map(|t| &t[..4]).collect();
    assert_eq!(tags[0], tags[1]);
    assert_ne!(tags[1], tags[2]);
    let other = Redactor::new(&Secret::new(vec![8; 32])).unwrap();
    let mut line = Vec::new();
    assert!(other.line(&mut Masker::default(), b"PASSWORD=same x", &mut line));
    assert!(!out.starts_with(std::str::from_utf8(&line).unwrap()));
}

#[test]
fn counts_are_kept_and_untouched_lines_cost_nothing() {
    let redactor = redactor();
    let mut state = Masker::default();
    let mut out = Vec::new();
    assert!(!redactor.line(&mut state, b"a plain line", &mut out));
    assert!(out.is_empty());
    assert!(!redactor.may_mask(b"a plain line"));
    assert!(redactor.line(&mut state, b"PASSWORD=a TOKEN=b https://u:p@h/", &mut out));
    let counts: Vec<_> = state.counts().iter().collect();
    assert_eq!(counts, [(Kind::Url, 1), (Kind::Named, 2)]);
    assert_eq!(state.counts().total(), 3);
}

#[test]
fn lines_made_to_be_slow_are_not() {
    let redactor = redactor();
    for unit in
        ["cookie:", "token=", "authorization:", "token=\"", "eyJhbGciOiJI.", "://", "password=\\\"", "key"]
    {
        let line = unit.repeat((1 << 16) / unit.len());
        let mut out = Vec::new();
        redactor.line(&mut Masker::default(), line.as_bytes(), &mut out);
        assert!(out.len() <= 1 << 20, "{unit}");
    }
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("PASSWORD=hunter2 ".to_owned()),
        Just("Authorization: Bearer abc.def".to_owned()),
        Just("Cookie: a=b; c=d".to_owned()),
        Just(jwt("{\"sub\":\"x\"}")),
        Just("-----BEGIN PRIVATE".to_owned() + " KEY-----"),
        Just("-----END PRIVATE".to_owned() + " KEY-----"),
        Just("https://user:pa@host/x ".to_owned()),
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        Just("\"token\":\"x\\\"y\",".to_owned()),
        "[a-zA-Z=:\"\\\\ ]{0,12}",
    ];
    let text = proptest::collection::vec(piece, 0..12).prop_map(|p| p.concat().into_bytes());
    prop_oneof![4 => text, 1 => proptest::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_output(text in pieces(), cuts in proptest::collection::vec(0usize..200, 0..8)) {
        let redactor = redactor();
        let whole = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut stream = MaskedStream::new(redactor.clone());
            let mut out = Vec::new();
            pieces.for_each(|p| stream.push(p, &mut out));
            stream.finish(&mut out);
            (out, *stream.counts())
        };
        let once = whole(&mut std::iter::once(text.as_slice()));
        prop_assert_eq!(&once, &whole(&mut text.chunks(1)));
        let mut ends: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).chain([0, text.len()]).collect();
        ends.sort_unstable();
        prop_assert_eq!(&once, &whole(&mut ends.windows(2).map(|w| &text[w[0]..w[1]])));
    }

    #[test]
    fn a_secret_is_masked_wherever_a_long_line_is_cut(at in 0usize..2_000, blank in any::<bool>()) {
        let filler = if blank { "lorem ipsum " } else { "loremipsum" };
        let mut text = filler.repeat(MAX_HELD / filler.len() + 1).into_bytes();
        text.truncate(MAX_HELD + 1_000 - at);
        text.extend_from_slice(b" DB_PASSWORD=hunter2 end ");
        text.extend_from_slice(&filler.as_bytes().repeat(300));
        let redactor = redactor();
        let mut stream = MaskedStream::new(redactor);
        let mut out = Vec::new();
        stream.push(&text, &mut out);
        stream.finish(&mut out);
        prop_assert!(memchr::memmem::find(&out, b"hunter2").is_none());
        prop_assert_eq!(stream.counts().total(), 1);
    }
}

#[test]
fn a_private_key_is_found_where_it_may_begin_in_any_case() {
    assert_eq!(key_begin(b"a --------begin RSA PRIVATE KEY-----"), Some(5));
    assert_eq!(key_begin(b"x -----BEGIN "), Some(2));
    assert_eq!(key_begin(b"---------- -----BEGINX -----BEGI"), None);
}
