//! The scripts beside this crate, and scripts that must fail.

use super::*;

fn run_memory(script: &str) -> Report {
    run(script, &mut MemorySource::new(), Settings::default())
}

#[test]
fn our_scripts_pass() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "test"));
    files.sort();
    let mut passed = 0;
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let report = run_memory(&std::fs::read_to_string(file).unwrap());
        passed += report.passed();
        wrong.extend(report.faults.iter().map(|(line, why)| format!("{name}:{line}: {why}")));
        for case in &report.cases {
            if let Outcome::Failed(why) = &case.outcome {
                wrong.push(format!("{name}:{}: {}\n    {why}", case.line, case.command));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(passed >= 600, "only {passed} evals; scripts are missing");
}

#[test]
fn what_is_wrong_is_told() {
    let load = "load 1m\n  a{x=\"1\"} 1 2 3\n\n";
    for eval in [
        "eval instant at 1m a\n  a{x=\"1\"} 3",
        "eval instant at 1m a",
        "eval instant at 1m a\n  expect fail\n",
        "eval instant at 1m a\n  expect warn\n  a{x=\"1\"} 2",
        "eval instant at 1m a\n  a{x=\"1\"} 2\n  a{x=\"2\"} 2",
        "eval range from 0 to 2m step 1m a\n  a{x=\"1\"} 1 2",
        "eval instant at 1m a +\n  a{x=\"1\"} 2",
        "eval instant at 1m rate(a[2m])\n  expect no_info\n  {x=\"1\"} 0.016666666666666666",
    ] {
        let report = run_memory(&format!("{load}{eval}"));
        assert_eq!((report.failed(), report.passed()), (1, 0), "{eval}");
    }
    for fault in ["reload 1m", "load x\n  a 1", "eval later a", "load 1m\n a{ 1", "load 1m\n a 1+x"] {
        assert!(run_memory(fault).failed() > 0, "{fault}");
    }
}

#[test]
fn native_histograms_are_counted_apart() {
    let report = run_memory(
        "load 1m\n  h {{schema:0 sum:1 count:1 buckets:[1]}}x3\n  b_bucket{le=\"+Inf\"} 1\n\n\
         eval instant at 1m h\n  h {{sum:1}}\n\neval instant at 1m histogram_count(h)\n  {} 1\n\n\
         eval instant at 1m b_bucket\n  b_bucket{le=\"+Inf\"} 1\n",
    );
    assert_eq!((report.passed(), report.failed(), report.unsupported()), (1, 0, 2));
}

#[test]
fn series_notation_expands() {
    let value = |text: &str| parse_series(text).map(|(_, points)| points);
    let numbers = |values: &[f64]| values.iter().map(|v| Point::Value(*v)).collect::<Vec<_>>();
    assert_eq!(value("a 1+2x3"), Ok(numbers(&[1.0, 3.0, 5.0, 7.0])));
    assert_eq!(value("a -2-4x2"), Ok(numbers(&[-2.0, -6.0, -10.0])));
    assert_eq!(value("a 1x2 1e3"), Ok(numbers(&[1.0, 1.0, 1.0, 1000.0])));
    assert_eq!(value("a _ _x2"), Ok(vec![Point::Missing; 3]));
    assert_eq!(parse_series("a{b=\"}\", c='x y'} 1").unwrap().0.value("c"), Some("x y"));
    assert_eq!(parse_series("{\"a.b\", c=\"d\"} 1").unwrap().0.metric(), "a.b");
}
