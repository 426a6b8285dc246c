//! What is found in small files.

use expect_test::{Expect, expect};

use super::check;

fn found(source: &str, expected: Expect) {
    let lines: Vec<String> =
        check("a.rs", source).iter().map(|f| format!("{}: {}\n", f.line, f.text)).collect();
    expected.assert_eq(&lines.concat());
}

fn long(lines: usize) -> String {
    "    step(\"}\"); // }\n".repeat(lines)
}

#[test]
fn a_header_comes_first() {
    found("//! Says what it is.\n", expect![""]);
    found(
        "use x;\n",
        expect![[r#"
            1: opens without a header; say in `//!` lines what the file is, what goes in and out, what it never does
        "#]],
    );
}

#[test]
fn functions_are_measured_from_fn_to_brace() {
    let of = |head: &str, lines: usize| format!("//! x\n{head} {{\n{}}}\n", long(lines));
    found(&of("fn ok(a: [u8; 2])", 78), expect![""]);
    found(
        &of("pub fn f<'a>(a: [u8; 2]) -> impl Fn(&'a str) -> u8\nwhere\n    T: X,", 79),
        expect![[r#"
            2: function f has 83 lines, more than 80; take a step of it out
        "#]],
    );
    // A declaration has no body, and a test may be long.
    found(&format!("//! x\ntrait T {{\n    fn f(a: [u8; 2]);\n{}}}\n", long(90)), expect![""]);
    found(&format!("//! x\n#[cfg(test)]\nmod tests {{\nfn f() {{\n{}}}\n}}\n", long(700)), expect![""]);
}

#[test]
fn files_are_measured_without_their_tests() {
    let body = "const A: u8 = 0;\n".repeat(600);
    found(
        &format!("//! x\n{body}"),
        expect![[r#"
            1: 601 lines, more than 600; split the file by noun
        "#]],
    );
    found(&format!("//! Catalogue: numbers.\n{body}"), expect![""]);
    assert!(check("src/foo/tests.rs", &format!("//! x\n{body}")).is_empty());
}

#[test]
fn names_say_something_and_channels_are_bounded() {
    found("//! x\nstruct Utilisation;\nstruct Commonality;\n// struct JobManager\n", expect![""]);
    found(
        "//! x\npub struct JobManager<T>;\nmod string_utils {}\ntype A = B;\n",
        expect![[r#"
            2: JobManager is called a manager, which says nothing; name what it is or does
            3: string_utils is called a utils, which says nothing; name what it is or does
        "#]],
    );
    let call = concat!("//! x\nlet (a, b) = mpsc::unbounded", "_channel();\n// unbounded", "_channel\n");
    found(
        call,
        expect![[r#"
            2: a channel without a bound; give it a capacity and say what happens when it is full
        "#]],
    );
}
