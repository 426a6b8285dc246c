//! Tables that stages make of lines, in each output; what they do not go together with.

use expect_test::{Expect, expect};

use super::*;

fn check(flags: &[&str], expected: Expect) {
    expected.assert_eq(&Bed::new().shown(flags));
}

#[test]
fn a_table_has_columns_that_are_aligned() {
    check(
        &["--where", "| count by level"],
        expect![[r#"
        level    count
        error        2
        info         2
        unknown      1
        warn         1
    "#]],
    );
    check(
        &["--where", "| count by level every 3s", "--no-header"],
        expect![[r#"
        2026-11-21T14:00:00.000Z  error        1
        2026-11-21T14:00:00.000Z  info         2
        2026-11-21T14:00:03.000Z  error        1
        2026-11-21T14:00:03.000Z  unknown      1
        2026-11-21T14:00:03.000Z  warn         1
    "#]],
    );
    check(
        &["--where", "has(status) | stats max(status), p50(status) as half by user.id", "-t=unix"],
        expect![[r#"
            user.id  max(status)  half
            u1               200   200
            u2               503   503
        "#]],
    );
    check(
        &["--level=info", "--where", "| fields ts, pod, status, message"],
        expect![[r#"
        ts                        pod    status  message
        2026-11-21T14:00:00.000Z  web-1  -       INFO listening on :8080
        2026-11-21T14:00:01.000Z  web-1  200     {"level":"info","msg":"served","status":200,"path":"/","user":{"id":"u1"}}
    "#]],
    );
    check(
        &["--where", "| top 1 stream | fields count"],
        expect![[r#"
        count
            4
    "#]],
    );
    check(
        &["--where", "nowhere | count by level"],
        expect![[r#"
        level  count
    "#]],
    );
}

#[test]
fn a_table_goes_to_programs() {
    check(
        &["--json", "--where", "status>0 | stats count(), avg(status) by level every 1m"],
        expect![[r#"
            {"type":"row","values":{"ts":"2026-11-21T14:00:00.000000000Z","level":"error","count":1,"avg(status)":503.0}}
            {"type":"row","values":{"ts":"2026-11-21T14:00:00.000000000Z","level":"info","count":1,"avg(status)":200.0}}
        "#]],
    );
    check(
        &["-o=csv", "--where", "| sort ts desc | limit 2"],
        expect![[r#"
        ts,pod,container,level,message
        2026-11-21T14:00:05.000000000Z,web-1,app,error,ERROR Timeout after 30s
        2026-11-21T14:00:04.000000000Z,web-1,app,unknown,"'=cmd|' /C calc'!A0, ""quoted"""
    "#]],
    );
    check(
        &["-o=tsv", "--no-header", "--where", "| patterns 2"],
        expect![[r#"
        {<str>:<str>,<str>:<str>,<str>:<n>,<str>:<str>,<str>:{<str>:<str>}}	2
        '=cmd|<str>!A0, <str>	1
    "#]],
    );
    let shown = Bed::new().shown(&["-o=json", "--stats=on", "--where", "| top 1 path"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], r#"{"type":"row","values":{"path":"/","count":1}}"#);
    assert_eq!(lines[1], r#"{"type":"remark","exact":true,"text":"4 lines have no path"}"#);
    assert!(lines[2].starts_with(r#"{"type":"summary","#) && lines.len() == 3, "{shown}");
}

#[test]
fn what_lines_are_chosen_is_the_same_with_a_table() {
    let bed = Bed::new();
    let count = |flags: &[&str]| {
        let mut line = vec!["-o=csv", "--no-header", "--where", "| count"];
        line.extend(flags);
        bed.shown(&line).trim().to_owned()
    };
    for (flags, n) in [
        (&[][..], "6"),
        (&["--tail=3"], "3"),
        (&["--head=2"], "2"),
        (&["--level", "error"], "2"),
        (&["-g", "served|refused"], "2"),
        (&["--since", "2026-11-21T14:00:04Z"], "2"),
        (&["--stream=stderr"], "2"),
        (&["-m", "1"], "1"),
        (&["-g", "nowhere"], "0"),
    ] {
        assert_eq!(count(flags), n, "{flags:?}");
    }
    // Through a pipe as from a file: the same evaluation.
    assert_eq!(bed.shown(&["--where", "| limit 2 | fields ts", "-o=csv", "--no-header"]).lines().count(), 2);
}

#[test]
fn what_does_not_go_together_is_refused_by_name() {
    let bed = Bed::new();
    let source = bed.source();
    for (flags, said) in [
        (&["--top=level"][..], "--where: stages and --count"),
        (&["-C=2"], "--where: lines around a match"),
        (&["--columns=pod"], "--where: --columns and --fields are of lines"),
        (&["-o=raw"], "--where: stages give a table, and raw and templates print lines"),
        (&["--template={message}"], "--where: stages give a table"),
        (&["--with-cursors"], "--where: --with-cursors"),
        (&["-f"], "--where: --follow never ends"),
        (&["--wrap"], "--where: --highlight"),
        (&["--where=| limit 3"], "--where: stages stand behind two of the conditions"),
    ] {
        let mut line = vec![source.as_str(), "--where=| count"];
        line.extend(flags);
        let (code, text, out) = bed.run(&line);
        assert_eq!((code, out.as_str()), (2, ""), "{flags:?}");
        assert!(text.starts_with(said), "{flags:?}: {text}");
    }
    let (code, text, _) = bed.run(&[&source, "--where=| count | sort pod"]);
    assert_eq!(code, 2);
    assert!(text.contains("the stage before gives no `pod`; it gives count"), "{text}");
}
