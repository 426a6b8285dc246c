//! What is read, what is refused and where, what stages take out of lines.

use super::*;
use crate::{Compiled, Record};

fn printed(text: &str) -> String {
    match parse(text) {
        Ok(query) => query.to_string(),
        Err(e) => format!("{}: {}", e.span.start, e.cause),
    }
}

#[test]
fn what_is_read_prints_as_it_is_meant() {
    for (text, expected) in [
        (r#"{app="api"}"#, r#"{app="api"}"#),
        (r#"{ app = "api" , pod=~"web-.*", }"#, r#"{app="api", pod=~"web-.*"}"#),
        ("{app=`a\"b`}|=`x`", r#"{app="a\"b"} |= "x""#),
        (r#"{a="b"} |= "x" or "y" != "z" |~ "e+" !~ "f""#, r#"{a="b"} |= "x" or "y" != "z" |~ "e+" !~ "f""#),
        (
            r#"{a="b"} | json | status >= 500, path="/x" or ms > 250ms"#,
            r#"{a="b"} | json | (status >= 500 and path="/x") or ms > 250ms"#,
        ),
        (r#"{a="b"} | json s="r.status", path | s==200"#, r#"{a="b"} | json s="r.status", path | s == 200"#),
        (
            r#"{a="b"} | logfmt --keep-empty | level="x" | drop __error__, b="c" | keep d"#,
            r#"{a="b"} | logfmt --keep-empty | level="x" | drop __error__, b="c" | keep d"#,
        ),
        (
            r#"{a="b"} | pattern "<ip> <_>" | ip=ip("10.0.0.0/8") | decolorize"#,
            r#"{a="b"} | pattern "<ip> <_>" | ip=ip("10.0.0.0/8") | decolorize"#,
        ),
        (r#"{a="b"} | regexp `(?P<s>\d+)`"#, r#"{a="b"} | regexp "(?P<s>\\d+)""#),
        (r#"sum by(pod)(rate({a="b"}[5m]))"#, r#"sum by (pod) (rate({a="b"} [5m]))"#),
        (r#"sum(rate({a="b"}[5m])) by (pod)"#, r#"sum by (pod) (rate({a="b"} [5m]))"#),
        (r#"rate(({a="b"} |= "x")[90s] offset 1h)"#, r#"rate({a="b"} |= "x" [1m30s] offset 1h)"#),
        (r#"rate({a="b"}[1m] |= "x")"#, r#"rate({a="b"} |= "x" [1m])"#),
        (
            r#"quantile_over_time(0.9, {a="b"} | json | unwrap duration(took) | __error__="" [1m]) by (pod)"#,
            r#"quantile_over_time(0.9, {a="b"} | json | unwrap duration(took) | __error__="" [1m]) by (pod)"#,
        ),
        (
            r#"topk(3, count_over_time({a="b"}[1m])) / on (pod) group_left (node) 2 ^ 3 ^ 2"#,
            r#"topk(3, count_over_time({a="b"} [1m])) / on (pod) group_left (node) 2 ^ 3 ^ 2"#,
        ),
        (r#"{a="b"} | json != "x" | drop != "x""#, r#"{a="b"} | json != "x" | drop!="x""#),
        ("vector(1)+vector(1)", "vector(1) + vector(1)"),
        (
            r#"(sum(rate({a="b"}[1m])) or vector(0)) > bool 1"#,
            r#"(sum(rate({a="b"} [1m])) or vector(0)) > bool 1"#,
        ),
        ("{a=\"b\"} # a comment\n|= \"x\"", r#"{a="b"} |= "x""#),
    ] {
        assert_eq!(printed(text), expected);
        assert_eq!(parse(&printed(text)), parse(text), "printed text reads otherwise: {text}");
    }
}

#[test]
fn what_is_outside_is_refused_with_its_place() {
    for (text, at, cause) in [
        (r#"{a="b"} | line_format "{{.x}}""#, 10, "stage line_format is not known here"),
        (r#"{a="b"} | label_format a=b"#, 10, "stage label_format is not known here"),
        (r#"{a="b"} | json | unpack"#, 17, "stage unpack is not known here"),
        (
            r#"label_replace(rate({a="b"}[1m]),"a","b","c","d")"#,
            0,
            "function label_replace is not known here",
        ),
        (r#"variants(rate({a="b"}[1m])) of ({a="b"}[1m])"#, 0, "function variants is not known here"),
        (r#"{a="b"} |> "<_> x""#, 8, "pattern line filters"),
        (r#"{a="b"} |= ip("10.0.0.1")"#, 11, "ip() as a line filter"),
        (r#"{a="b"} | logfmt --strict"#, 19, "logfmt --strict is not known here"),
        (r#"{a="b"}[5m]"#, 0, "a range stands inside a function"),
        (r#"sum({a="b"})"#, 4, "lines stand here"),
        (r#"rate({a="b"})"#, 0, "rate needs a range"),
        (r#"sum_over_time({a="b"}[1m])"#, 0, "needs a label to take values from"),
        (r#"count_over_time({a="b"} | unwrap x [1m])"#, 0, "does not take | unwrap"),
        (r#"rate({a="b"}[1m]) by (x)"#, 18, "grouping not allowed for rate"),
        (r#"{a=~".*"}"#, 0, "at least one regexp or equality matcher"),
        ("{}", 0, "at least one regexp or equality matcher"),
        (r#"{a=~"("}"#, 1, "cannot be used"),
        (r#"{a="b"} |~ "[""#, 8, "cannot be used"),
        (r#"{a="b"} | foo"#, 10, "neither a known stage nor a label"),
        (r#"{a="b"} | json x="a[0]""#, 17, "elements of lists"),
        (r#"{a="b"} | regexp "x""#, 17, "no named group"),
        (r#"{a="b"} | pattern "<a><b>""#, 18, "follows another capture"),
        (r#"{a="b"} | a=ip("x")"#, 15, "no address"),
        (r#"{a="b" |= "x""#, 7, "expected }"),
        (r#"{a="b}"#, 3, "the quote is not closed"),
        (r#"{a="b"} trailing"#, 8, "expected a stage"),
        ("", 0, "expected a selector in braces"),
        (r#"topk(0, rate({a="b"}[1m]))"#, 5, "takes a whole number from 1"),
    ] {
        let e = parse(text).expect_err(text);
        assert!(e.cause.contains(cause), "{text}: {}", e.cause);
        assert_eq!(e.span.start, at, "{text}: {}", e.cause);
        assert!(text.get(e.span.clone()).is_some(), "{text}: {:?}", e.span);
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(parse(&deep).unwrap_err().cause.contains("parts"));
    let tests = format!("{{a=\"b\"}} | {}x=1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(parse(&tests).unwrap_err().cause.contains("deep"));
    let chain = format!("1{}", " + 1".repeat(10_000));
    assert!(parse(&chain).unwrap_err().cause.contains("parts"));
    assert!(parse(&"x".repeat(1 << 20)).unwrap_err().cause.contains("bytes"));
}

proptest::proptest! {
    /// Nothing that is read ends in a panic, errors have a place inside the text, and what is printed reads the same.
    #[test]
    fn any_text_is_read_or_refused(text in r#"[\{\}\(\)\[\]"`|=!~<>,a-d0-9m \-+*/#é]{0,40}"#) {
        let texts = [text.clone(), format!("{{a=\"b\"}} {text}"), format!("rate({{a=\"b\"}} {text} [5m])")];
        for text in texts {
            match parse(&text) {
                Ok(query) => assert_eq!(parse(&query.to_string()), Ok(query), "{text}"),
                Err(e) => assert!(text.get(e.span.clone()).is_some(), "{text}: {e:?}"),
            }
        }
    }
}

/// Labels that a line has behind the stages, or that it fell away.
fn shown(stages: &str, line: &str) -> String {
    let Ok(Query::Logs(logs)) = parse(&format!("{{pod=\"web-1\"}} {stages}")) else {
        panic!("{stages}: {}", printed(stages))
    };
    let mut fields = Fields { stream: [("pod".to_owned(), "web-1".to_owned())].into(), ..Fields::default() };
    match Pipeline::new(&logs, None).unwrap().line(&mut fields, line.as_bytes().to_vec()) {
        Some(line) => {
            let labels: Vec<String> = fields.parsed.iter().map(|(n, v)| format!("{n}={v}")).collect();
            format!("{} | {}", labels.join(" "), String::from_utf8_lossy(&line))
        }
        None => "-".to_owned(),
    }
}

#[test]
fn stages_take_fields_out_of_lines() {
    let json = r#"{"status":500,"r":{"path":"/x","t":[1]},"pod":"other","took":"1.5s","a-b":null}"#;
    let logfmt = r#"level=warn msg="two words" empty= status=404 size=4KiB ip=10.1.2.3"#;
    for (stages, line, expected) in [
        ("| json", json, "pod_extracted=other r_path=/x status=500 took=1.5s"),
        (r#"| json p="r.path", status"#, json, "p=/x status=500"),
        (r#"| json p="[\"r\"].path""#, json, "p=/x"),
        ("| json", "plain", "__error__=JSONParserErr"),
        (r#"| json | __error__="""#, "plain", "-"),
        ("| logfmt", logfmt, "ip=10.1.2.3 level=warn msg=two words size=4KiB status=404"),
        ("| logfmt --keep-empty empty, level", logfmt, "empty= level=warn"),
        (r#"| logfmt | status>=404 and size > 4KB | keep status"#, logfmt, "status=404"),
        (r#"| logfmt | status>404"#, logfmt, "-"),
        (
            r#"| logfmt | status==404.0 | drop ip, level="warn", msg="x", size"#,
            logfmt,
            "msg=two words status=404",
        ),
        (r#"| logfmt | ip=ip("10.0.0.0/8"), level=~"w.*" | keep ip"#, logfmt, "ip=10.1.2.3"),
        (r#"| logfmt | ip!=ip("10.1.2.3-10.1.2.9")"#, logfmt, "-"),
        (r#"| logfmt | nothing="" | absent!="x" | keep level"#, logfmt, "level=warn"),
        (r#"| logfmt | level=~"w""#, logfmt, "-"),
        (r#"| json | took > 1s and took < 1600ms | keep took"#, json, "took=1.5s"),
        (
            r#"| pattern "<ip> - <_> \"<method> <path>\" <status>""#,
            r#"1.2.3.4 - bob "GET /x?y" 200"#,
            "ip=1.2.3.4 method=GET path=/x?y status=200",
        ),
        (r#"| pattern "x <a>""#, "y z", ""),
        (r#"| regexp "(?P<verb>[A-Z]+) (?P<n>\\d+)?""#, "did GET 7", "n=7 verb=GET"),
        (r#"| pod="web-1""#, "l", ""),
        (r#"| pod!="web-1""#, "l", "-"),
    ] {
        let expected = if expected == "-" { "-".to_owned() } else { format!("{expected} | {line}") };
        assert_eq!(shown(stages, line), expected, "{stages}");
    }
    assert_eq!(shown("| decolorize", "\x1b[31mred\x1b[0m"), " | red");
}

struct Line<'a>(&'a str);

impl Record for Line<'_> {
    fn ts_ns(&self) -> i64 {
        0
    }
    fn level(&self) -> ph_model::Level {
        ph_model::Level::Warn
    }
    fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }
    fn field(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        match name {
            "pod" => Some("web-1".into()),
            "service" => Some("api".into()),
            _ => crate::field(self.message(), name),
        }
    }
}

#[test]
fn selectors_and_line_filters_are_the_filters() {
    for (text, line, expected) in [
        (r#"{pod="web-1"}"#, "x", true),
        (r#"{pod="web"}"#, "x", false),
        (r#"{pod=~"web"}"#, "x", false),
        (r#"{pod=~"web-.", app="api", service_name!="x", level=~"warn|error"}"#, "x", true),
        (r#"{pod="web-1", node=""}"#, "x", true),
        (r#"{pod="web-1", node!=""}"#, "x", false),
        (r#"{pod="web-1", unknown="x"}"#, "x", false),
        (r#"{pod="web-1", unknown!="x"}"#, "x", true),
        // Substrings, not words, and with their case.
        (r#"{pod="web-1"} |= "rror""#, "an error", true),
        (r#"{pod="web-1"} |= "Error""#, "an error", false),
        (r#"{pod="web-1"} |= "x" or "error""#, "an error", true),
        (r#"{pod="web-1"} != "x" or "error""#, "an error", false),
        (r#"{pod="web-1"} |~ "e.+r" !~ "z""#, "an error", true),
        (r#"{pod="web-1"} |= """#, "x", true),
        (r#"{pod="web-1"} != """#, "x", false),
    ] {
        let Ok(Query::Logs(logs)) = parse(text) else { panic!("{text}") };
        let filter = Compiled::new(&filter_of(&logs).unwrap()).unwrap();
        assert_eq!(filter.matches(&Line(line)), expected, "{text}");
    }
}

/// What the language's own filter says of a field of the message, LogQL's condition says behind its stage.
#[test]
fn conditions_equal_the_filter_language() {
    let lines = [
        "status=500 took=250ms size=4KiB",
        "status=499.5 took=1s",
        "status=abc took=x",
        "other=1",
        "status=500.0 took=2m size=4096",
        r#"{"status": 500, "took": "300ms"}"#,
    ];
    for condition in
        ["status>=500", "status<500", "status>499", "took>=250ms", "took<1s", "size>=4KiB", "status<=1e3"]
    {
        let own = Compiled::new(&crate::query::parse(&format!("body.{condition}")).unwrap().filter).unwrap();
        for line in lines {
            let stage = if line.starts_with('{') { "json" } else { "logfmt" };
            let logql = shown(&format!("| {stage} | {condition}"), line) != "-";
            struct Body<'a>(&'a str);
            impl Record for Body<'_> {
                fn ts_ns(&self) -> i64 {
                    0
                }
                fn level(&self) -> ph_model::Level {
                    ph_model::Level::Unknown
                }
                fn message(&self) -> &[u8] {
                    self.0.as_bytes()
                }
                fn field(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
                    crate::field(self.message(), name.strip_prefix("body.").unwrap_or(name))
                }
            }
            assert_eq!(logql, own.matches(&Body(line)), "{condition} of {line}");
        }
    }
}

#[test]
fn windows_are_open_on_their_left() {
    let points: Vec<Point> =
        [(10, 1.0), (20, 2.0), (30, 4.0)].map(|(at_ns, value)| Point { at_ns, value }).to_vec();
    let of = |op, times: &[i64]| windows((op, Some(0.5)), &points, (10, times));
    assert_eq!(
        of(RangeOp::Count, &[9, 10, 20, 25, 30, 40]),
        [None, Some(1.0), Some(1.0), Some(1.0), Some(1.0), None]
    );
    let all = |op| windows((op, Some(0.5)), &points, (1_000_000_000, &[30])).pop().flatten().unwrap();
    for (op, expected) in [
        (RangeOp::Count, 3.0),
        (RangeOp::Rate, 7.0),
        (RangeOp::Sum, 7.0),
        (RangeOp::Avg, 7.0 / 3.0),
        (RangeOp::Min, 1.0),
        (RangeOp::Max, 4.0),
        (RangeOp::Quantile, 2.0),
        (RangeOp::First, 1.0),
        (RangeOp::Last, 4.0),
    ] {
        assert!((all(op) - expected).abs() < 1e-12, "{op:?}");
    }
    assert!((all(RangeOp::Stdvar) - 14.0 / 9.0).abs() < 1e-12);
}
