//! What each output looks like.

use expect_test::{Expect, expect};

use super::*;

fn check(flags: &[&str], expected: Expect) {
    // Cursors hold a hash of the path, and the path is another each time.
    let mut out = String::new();
    let shown = Bed::new().shown(flags);
    for (i, piece) in shown.split("pf1_").enumerate() {
        match (i, piece.split_once('"')) {
            (0, _) | (_, None) => out.push_str(piece),
            (_, Some((_, rest))) => out.push_str(&format!("pf1_…\"{rest}")),
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn text_is_the_message_alone_for_one_source() {
    check(
        &[],
        expect![[r#"
        INFO listening on :8080
        {"level":"info","msg":"served","status":200,"path":"/","user":{"id":"u1"}}
        {"level":"error","msg":"refused","status":503,"path":"/pay","user":{"id":"u2"}}
        WARN slow: took 3s
        =cmd|' /C calc'!A0, "quoted"
        ERROR Timeout after 30s
    "#]],
    );
}

#[test]
fn text_has_times_where_asked() {
    check(
        &["--tail=1", "-t"],
        expect![[r#"
        2026-11-21T14:00:05.000000000Z ERROR Timeout after 30s
    "#]],
    );
    check(
        &["--tail=1", "-t=short"],
        expect![[r#"
        14:00:05 ERROR Timeout after 30s
    "#]],
    );
    check(
        &["--tail=1", "-t=unix"],
        expect![[r#"
        1795269605.000000000 ERROR Timeout after 30s
    "#]],
    );
    check(
        &["--tail=1", "-t=%d %H"],
        expect![[r#"
        21 14 ERROR Timeout after 30s
    "#]],
    );
    check(
        &["--tail=1", "-t=ms", "--timezone=Asia/Kolkata"],
        expect![[r#"
        2026-11-21T19:30:05.000+05:30 ERROR Timeout after 30s
    "#]],
    );
}

#[test]
fn raw_is_exact_bytes() {
    let want: String = LINES.iter().map(|(_, _, text)| format!("{text}\n")).collect();
    assert_eq!(Bed::new().shown(&["-o", "raw", "--all"]), want);
    assert_eq!(
        Bed::new().shown(&["-o", "raw", "--all", "-g", "TIMEOUT", "--ignore-case"]),
        format!("{}\n", LINES[5].2)
    );
}

#[test]
fn table_has_its_columns() {
    check(
        &["-o", "table"],
        expect![[r#"
        TIMESTAMP   POD   CONTAINER MESSAGE
        14:00:00 ● web-1 app       INFO listening on :8080
        14:00:01 ● web-1 app       {"level":"info","msg":"served","status":200,"path":"/","user":{"id":"u1"}}
        14:00:02 ● web-1 app       {"level":"error","msg":"refused","status":503,"path":"/pay","user":{"id":"u2"}}
        14:00:03 ● web-1 app       WARN slow: took 3s
        14:00:04 ● web-1 app       =cmd|' /C calc'!A0, "quoted"
        14:00:05 ● web-1 app       ERROR Timeout after 30s
    "#]],
    );
    check(
        &[
            "-o",
            "table",
            "--no-header",
            "--add-columns=level,restart",
            "--remove-columns=dot,container",
            "--tail=2",
        ],
        expect![[r#"
        14:00:04 web-1 unknown 0       =cmd|' /C calc'!A0, "quoted"
        14:00:05 web-1 error   0       ERROR Timeout after 30s
    "#]],
    );
}

#[test]
fn json_is_one_object_a_line() {
    check(
        &["-o", "json", "--tail=2"],
        expect![[r#"
        {"type":"record","ts":"2026-11-21T14:00:04.000000000Z","cluster":"","namespace":"shop","pod":"web-1","pod_uid":"0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c","container":"app","node":"","restart":0,"stream":"stdout","level":"unknown","message":"=cmd|' /C calc'!A0, \"quoted\"","flags":[],"cursor":"pf1_…"}
        {"type":"record","ts":"2026-11-21T14:00:05.000000000Z","cluster":"","namespace":"shop","pod":"web-1","pod_uid":"0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c","container":"app","node":"","restart":0,"stream":"stderr","level":"error","message":"ERROR Timeout after 30s\u001b]0;owned\u0007\u001b[2J","flags":[],"cursor":"pf1_…"}
    "#]],
    );
    check(
        &["--json", "-g", "served", "--fields=status,user.id,nothing"],
        expect![[r#"
        {"type":"record","ts":"2026-11-21T14:00:01.000000000Z","cluster":"","namespace":"shop","pod":"web-1","pod_uid":"0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c","container":"app","node":"","restart":0,"stream":"stdout","level":"info","message":"{\"level\":\"info\",\"msg\":\"served\",\"status\":200,\"path\":\"/\",\"user\":{\"id\":\"u1\"}}","flags":[],"fields":{"status":"200","user.id":"u1"},"cursor":"pf1_…"}
    "#]],
    );
}

#[test]
fn embedded_json_stands_as_json() {
    check(
        &["-o", "extjson", "-g", "served"],
        expect![[r#"
        {"type":"record","ts":"2026-11-21T14:00:01.000000000Z","cluster":"","namespace":"shop","pod":"web-1","pod_uid":"0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c","container":"app","node":"","restart":0,"stream":"stdout","level":"info","message":{"level":"info","msg":"served","status":200,"path":"/","user":{"id":"u1"}},"flags":[],"cursor":"pf1_…"}
    "#]],
    );
    check(
        &["-o", "ppextjson", "-g", "served"],
        expect![[r#"
        {
          "type": "record",
          "ts": "2026-11-21T14:00:01.000000000Z",
          "cluster": "",
          "namespace": "shop",
          "pod": "web-1",
          "pod_uid": "0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c",
          "container": "app",
          "node": "",
          "restart": 0,
          "stream": "stdout",
          "level": "info",
          "message": {
            "level": "info",
            "msg": "served",
            "status": 200,
            "path": "/",
            "user": {
              "id": "u1"
            }
          },
          "flags": [],
          "cursor": "pf1_…"
        }
    "#]],
    );
}

#[test]
fn separated_values_are_safe_for_spreadsheets() {
    check(
        &["-o", "csv"],
        expect![[r#"
        timestamp,cluster,namespace,pod,container,level,message
        2026-11-21T14:00:00.000000000Z,,shop,web-1,app,info,INFO listening on :8080
        2026-11-21T14:00:01.000000000Z,,shop,web-1,app,info,"{""level"":""info"",""msg"":""served"",""status"":200,""path"":""/"",""user"":{""id"":""u1""}}"
        2026-11-21T14:00:02.000000000Z,,shop,web-1,app,error,"{""level"":""error"",""msg"":""refused"",""status"":503,""path"":""/pay"",""user"":{""id"":""u2""}}"
        2026-11-21T14:00:03.000000000Z,,shop,web-1,app,warn,WARN slow: took 3s
        2026-11-21T14:00:04.000000000Z,,shop,web-1,app,unknown,"'=cmd|' /C calc'!A0, ""quoted"""
        2026-11-21T14:00:05.000000000Z,,shop,web-1,app,error,ERROR Timeout after 30s
    "#]],
    );
    check(
        &["-o", "tsv", "--columns=pod,stream", "--no-header", "--tail=2"],
        expect![[r#"
        web-1	stdout	"'=cmd|' /C calc'!A0, ""quoted"""
        web-1	stderr	ERROR Timeout after 30s
    "#]],
    );
}

#[test]
fn templates_and_fields_choose_what_is_shown() {
    check(
        &[
            "--template",
            r"{ts:short} [{pod:8}] {level} {json.user.id} {{{message}}}",
            "--where",
            "status>=500",
        ],
        expect![[r#"
            14:00:02 [web-1   ] error u2 {{"level":"error","msg":"refused","status":503,"path":"/pay","user":{"id":"u2"}}}
        "#]],
    );
    check(
        &["--fields=status,path"],
        expect![[r#"
        INFO listening on :8080
        status=200 path=/
        status=503 path=/pay
        WARN slow: took 3s
        =cmd|' /C calc'!A0, "quoted"
        ERROR Timeout after 30s
    "#]],
    );
}

#[test]
fn several_sources_have_prefixes_and_one_timeline() {
    let bed = Bed::new();
    bed.file(
        &format!("shop_db-0_{UID}/pg/0.log"),
        &(cri(0, "stdout", "db began") + &cri(3, "stdout", "db goes on")),
    );
    let all = format!("file:{}", bed.dir.path().display());
    let (code, _, out) = bed.run(&[&all, "--all", "--order=strict", "--until=2026-11-21T14:00:03Z"]);
    assert_eq!(code, 0);
    expect![[r#"
        db-0 pg db began
        web-1 app INFO listening on :8080
        web-1 app {"level":"info","msg":"served","status":200,"path":"/","user":{"id":"u1"}}
        web-1 app {"level":"error","msg":"refused","status":503,"path":"/pay","user":{"id":"u2"}}
        db-0 pg db goes on
        web-1 app WARN slow: took 3s
    "#]]
    .assert_eq(&out);
}

#[test]
fn sequences_are_kept_stripped_or_shown() {
    check(
        &["--tail=1", "--ansi=keep"],
        expect![[r#"
        ERROR Timeout after 30s]0;owned[2J
    "#]],
    );
    check(
        &["--tail=1", "--ansi=strip"],
        expect![[r#"
        ERROR Timeout after 30s
    "#]],
    );
    check(
        &["--tail=1", "--ansi=escape"],
        expect![[r#"
        ERROR Timeout after 30s\x1b]0;owned\x07\x1b[2J
    "#]],
    );
}

#[test]
fn matches_are_marked_where_colours_are_wanted() {
    check(
        &["-g", "timeout", "--color=always"],
        expect![[r#"
        ERROR [7mTimeout[27m after 30s
    "#]],
    );
    check(
        &["-g", "timeout", "-H", "30s", "--color=always"],
        expect![[r#"
        ERROR Timeout after [7m30s[27m
    "#]],
    );
    check(
        &["-g", "timeout", "--color=never"],
        expect![[r#"
        ERROR Timeout after 30s
    "#]],
    );
}

#[test]
fn stack_traces_are_one_record() {
    let bed = Bed::new();
    let text = cri(0, "stderr", "panic: no") + &cri(0, "stderr", "\tmain.go:7") + &cri(1, "stderr", "next");
    let file = bed.file("trace.log", &text);
    let (_, _, out) =
        bed.run(&[&format!("file:{}", file.display()), "--group-lines", "-o", "csv", "--columns=stream"]);
    expect![[r#"
        stream,message
        stderr,"panic: no
        	main.go:7"
        stderr,next
    "#]]
    .assert_eq(&out);
}

/// Lines begin with a bar, so that what stands before them counts.
fn counted(flags: &[&str], expected: Expect) {
    let out: String = Bed::new().shown(flags).lines().map(|l| format!("|{l}\n")).collect();
    expected.assert_eq(&out);
}

#[test]
fn counts_stand_instead_of_lines() {
    counted(
        &["--histogram=3"],
        expect![[r#"
            |2026-11-21T14:00:00.000Z           2  ████████████████████████████████████████  info 2
            |2026-11-21T14:00:01.667Z           2  ████████████████████████████████████████  error 1, warn 1
            |2026-11-21T14:00:03.334Z           2  ████████████████████████████████████████  error 1, unknown 1
        "#]],
    );
    counted(
        &["--top", "status"],
        expect![[r#"
            |         1  ████████████████████  200
            |         1  ████████████████████  503
            |         4  (without status, or with rarer values)
        "#]],
    );
    counted(
        &["--top", "level=2"],
        expect![[r#"
            |         2  ████████████████████  error
            |         2  ████████████████████  info
            |         2  (without level, or with rarer values)
        "#]],
    );
    counted(
        &["--patterns=2"],
        expect![[r#"
            |         2  ████████████████████  {<str>:<str>,<str>:<str>,<str>:<n>,<str>:<str>,<str>:{<str>:<str>}}
            |         1  ██████████            =cmd|<str>!A0, <str>
            |         3  (others)
        "#]],
    );
    counted(
        &["--top", "status", "-o", "json"],
        expect![[r#"
            |{"count":1,"key":"200","type":"bucket"}
            |{"count":1,"key":"503","type":"bucket"}
            |{"count":4,"error":0,"exact":true,"type":"other"}
        "#]],
    );
    let bed = Bed::new();
    let there = bed.dir.path().display().to_string();
    let counted = bed.shown(&["--count", "-g", "info"]).replace(&there, "").trim_start().to_owned();
    expect![[r#"
                 2  /shop_web-1_0b9c6f6c-1f0e-4f2b-9f59-0c1f6b1b0f3c/app
    "#]]
    .assert_eq(&counted);
}

#[test]
fn secrets_are_masked_on_request_and_cannot_be_searched_for() {
    let bed = Bed::new();
    let text = cri(0, "stdout", "password=hunter2hunter2 user=ann") + &cri(1, "stdout", "plain hunter line");
    let source = format!("file:{}", bed.file("secret.log", &text).display());
    let (_, _, out) = bed.run(&[&source, "--all", "--redact", "-o", "raw"]);
    assert!(!out.contains("hunter2") && out.contains("[masked:") && out.contains("user=ann"), "{out}");
    assert_eq!(bed.run(&[&source, "--all", "--redact", "-o", "raw", "-g", "hunter2"]).2, "");
    assert_eq!(
        bed.run(&[&source, "--all", "--redact", "-o", "raw", "-g", "hunter"]).2,
        "plain hunter line\n"
    );
    assert!(bed.run(&[&source, "--all", "-o", "raw", "-g", "hunter2"]).2.contains("hunter2"));
    assert_eq!(bed.run(&[&source, "--redact", "--patterns"]).0, 6);
}
