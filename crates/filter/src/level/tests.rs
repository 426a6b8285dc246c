//! The level table: what loggers write, the level it means, and how sure that is.

use ph_model::Level;

use super::{Confidence, level_of};

#[test]
fn levels_with_confidence() {
    use Confidence::{Certain, Guess, Likely, None as No};
    use Level::{Debug, Error, Fatal, Info, Trace, Unknown, Warn};
    let table: &[(&str, Level, Confidence)] = &[
        (r#"{"level":"info","msg":"error"}"#, Info, Certain),
        (r#"{"lvl":"WARN"}"#, Warn, Certain),
        (r#"{"severity":"CRITICAL"}"#, Fatal, Certain),
        (r#"{"log.level":"debug"}"#, Debug, Certain),
        (r#"{"log":{"level":"error"}}"#, Error, Certain),
        (r#"{"levelname":"ERROR"}"#, Error, Certain),
        (r#"{"level":10}"#, Trace, Certain),
        (r#"{"level":30}"#, Info, Certain),
        (r#"{"level":60}"#, Fatal, Certain),
        (r#"{"level":3}"#, Unknown, No),
        (r#"{"priority":3}"#, Error, Certain),
        (r#"{"priority":"6"}"#, Info, Certain),
        (r#"{"severity_number":17}"#, Error, Certain),
        (r#"{"severity_number":99}"#, Unknown, No),
        (r#"{"msg":"ERROR in text"}"#, Unknown, No),
        (r#"{"level":"E"}"#, Error, Certain),
        ("level=warn msg=x", Warn, Certain),
        ("ts=1 lvl=eror msg=x", Error, Certain),
        ("2026-01-01 app: level=warn", Warn, Likely),
        ("I1120 14:03:00.000000       1 main.go:5] hello", Info, Likely),
        ("E1120 14:03:00.000000       1 main.go:5] level=info", Error, Likely),
        ("[ERROR] broken", Error, Likely),
        ("2026-01-01T00:00:00Z [warn] careful", Warn, Likely),
        ("[2026-01-01 00:00:00] [notice] ready", Info, Likely),
        ("2026-01-01 00:00:00,123 ERROR main broken", Error, Guess),
        ("WARNING: deprecated", Warn, Guess),
        ("error: no such file", Error, Guess),
        ("\u{1b}[31mERROR\u{1b}[0m broken", Error, Guess),
        ("\u{1b}[36mlevel\u{1b}[0m=warn msg=x", Warn, Certain),
        ("there was no error here", Unknown, No),
        ("main panic: runtime", Fatal, Guess),
        ("informative text", Unknown, No),
        ("", Unknown, No),
        ("\u{1f600} plain", Unknown, No),
        ("{\"level\":\"50\",\"msg\":\"bunyan as text\"}", Error, Certain),
        (r#"{"level":35,"msg":"a pino level of one's own"}"#, Info, Certain),
        (r#"{"level":40}"#, Warn, Certain),
        (r#"{"level":20}"#, Debug, Certain),
        (r#"{"level":99}"#, Unknown, No),
        (r#"{"severity":3}"#, Unknown, No),
        (r#"{"priority":0}"#, Fatal, Certain),
        (r#"{"priority":4}"#, Warn, Certain),
        (r#"{"priority":7}"#, Debug, Certain),
        (r#"{"priority":8}"#, Unknown, No),
        (r#"{"priority":"warning"}"#, Warn, Certain),
        (r#"{"severityNumber":9}"#, Info, Certain),
        (r#"{"level":"","severity":"error"}"#, Error, Certain),
        (r#"{"level":"unknown"}"#, Unknown, No),
        (r#"{"level":null,"lvl":"dbg"}"#, Debug, Certain),
        (r#"  {"level":"warn"}"#, Warn, Certain),
        (r#"{"http":{"level":"error"}}"#, Unknown, No),
        (r#"{"log":{"level":40,"logger":"x"}}"#, Warn, Certain),
        (r#"{"log":{"level":"nonsense"},"level":"info"}"#, Info, Certain),
        (r#"{"msg":"cut off","level":"err"#, Unknown, No),
        ("severity=WARNING x=1", Warn, Certain),
        ("priority=3 msg=x", Error, Certain),
        ("level=30 msg=x", Info, Certain),
        ("msg=\"level=error\" level=info", Info, Certain),
        ("time=\"2026-01-01T00:00:00Z\" level=fatal msg=x", Fatal, Certain),
        ("level=nonsense msg=x", Unknown, No),
        ("worker 7 level=error", Error, Likely),
        ("W0101 10:00:00.000000 1 x.go:1] y", Warn, Likely),
        ("F0101 10:00:00.000000 1 x.go:1] y", Fatal, Likely),
        ("E11200 is no klog line", Unknown, No),
        ("2026/01/01 10:00:00 [error] 31#31: *1 open() failed", Error, Likely),
        ("<warn> careful", Warn, Likely),
        ("[2026-01-01 10:00:00] app.ERROR: boom", Error, Guess),
        ("2026-01-01 10:00:00 UTC [123] ERROR:  relation", Error, Guess),
        ("2026-01-01 10:00:00.123  WARN 1 --- [main] c.e.App : x", Warn, Guess),
        ("10:00:00.123 [main] INFO  com.x - y", Info, Guess),
        ("DEBUG:root:hello", Debug, Guess),
        ("[2026-01-01T10:00:00Z TRACE app] started", Trace, Guess),
        ("INFO[0000] started", Info, Guess),
        ("info: Microsoft.Hosting[0]", Info, Guess),
        ("fatal error: out of memory", Fatal, Guess),
        ("Traceback (most recent call last):", Unknown, No),
        ("Errors: 0", Unknown, No),
        ("written to stderr, which proves nothing", Unknown, No),
    ];
    for (text, level, confidence) in table {
        assert_eq!(level_of(text.as_bytes()), (*level, *confidence), "{text}");
    }
    assert!(table.len() >= 60);
    let far = format!("{} ERROR", "x ".repeat(40));
    assert_eq!(level_of(far.as_bytes()).0, Unknown);
}
