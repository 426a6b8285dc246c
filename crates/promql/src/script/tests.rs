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
fn native_histograms_concern_what_looks_at_them_alone() {
    let load = "load 1m\n  m{a=\"b\"} 1 2 {{sum:1 count:1}} 4 _ {{sum:1}}\n  n 1x5\n\n\
                load_with_nhcb 1m\n  h_bucket{le=\"1\"} _ 1 2\n  h_bucket{le=\"+Inf\"} _ 1 2\n\n";
    for (eval, unsupported) in [
        ("eval instant at 1m m\n  m{a=\"b\"} 2", 0),
        ("eval instant at 2m m\n  m{a=\"b\"} 2", 1),
        ("eval instant at 3m m\n  m{a=\"b\"} 4", 0),
        ("eval instant at 5m m + 1\n  {a=\"b\"} 4", 1),
        ("eval instant at 3m rate(m[3m])\n  {a=\"b\"} 4", 1),
        ("eval instant at 1m count_over_time(m[2m])\n  {a=\"b\"} 2", 0),
        ("eval range from 0 to 1m step 1m m\n  m{a=\"b\"} 1 2", 0),
        ("eval instant at 0 count({__name__=~\"h.*\"})", 0),
        ("eval instant at 2m h\n  h {{count:2}}", 1),
        ("eval instant at 2m h + 0\n  h 1", 1),
        ("eval instant at 2m sum(h_bucket)\n  {} 4", 0),
        ("eval instant at 2m n\n  n 1", 0),
    ] {
        let report = run_memory(&format!("{load}{eval}"));
        let found = (report.passed(), report.failed(), report.unsupported());
        assert_eq!(found, (1 - unsupported, 0, unsupported), "{eval}: {report:?}");
    }
}

#[test]
fn a_range_vector_is_asked_for_at_its_end() {
    let report = run_memory(
        "load 10s\n  m 1+1x5\n\neval instant at 0 m[30s]\n  expect range vector from 10s to 30s step 10s\n  m 2 3 4\n",
    );
    assert_eq!((report.passed(), report.failed()), (1, 0), "{report:?}");
}

#[test]
fn start_times_belong_to_the_samples_behind_them() {
    let load =
        |starts: &str| run_memory(&format!("load 1m\n  m{{a=\"b\"}}@st {starts}\n  m{{a=\"b\"}} 1 2 3\n"));
    for starts in ["_ _ _", "-1m _x2", "-30sx2", "0s-10sx2", "-1m+1sx2"] {
        assert_eq!(load(starts).faults, Vec::new(), "{starts}");
    }
    for starts in ["_ _", "-1mx3", "1 2 3", "-1y1", "_x0 _ _ _", "-1m+1s", "a b c", "--1m _ _"] {
        assert_eq!(load(starts).failed(), 1, "{starts}");
    }
    for load in ["load 1m\n  m@st _\n  n 1\n", "load 1m\n  m@st _\n", "load 1m\n  m@st _\n  m@st _\n  m 1\n"]
    {
        assert_eq!(run_memory(load).failed(), 1, "{load}");
    }
}

/// Expected are the answers of Prometheus 3.15 with `use-start-timestamps`.
#[test]
fn counters_look_at_start_times() {
    let overlap = "expect warn msg: PromQL warning: sample has start time that overlaps with previous sample timestamp \
                   for metric";
    let script = format!(
        "load 1m\n  dl@st _ -60sx6\n  dl _ 5 3 8 2 9 4 4\n  dg@st _ -50sx6\n  dg _ 5 3 8 2 9 4 4\n\
           mid@st _ -10s -70s _ -190s -20s -80s\n  mid _ 10 20 30 40 50 60\n\
           two@st _ -90s -100s -110s -20s\n  two _ 1 2 3 4\n\
           l{{s=\"in\"}}@st _x3 -1s -61s -121s\n  l{{s=\"in\"}} _x3 10 20 30\n\
           l{{s=\"edge\"}}@st _x3 -30s -90s -150s\n  l{{s=\"edge\"}} _x3 10 20 30\n\
           l{{s=\"late\"}}@st _x3 0s -60s -120s\n  l{{s=\"late\"}} _x3 10 20 30\n\n\
         eval range from 1m to 7m step 1m increase(dl[3m])\n  {{}} _ 4.5 16 13 16.5 15 12\n\n\
         eval range from 1m to 7m step 1m increase(dg[3m])\n  {{}} 5 8 16 13 19 15 17\n\n\
         eval range from 1m to 7m step 1m rate(dg[1m]) * 60\n  {{}} 5 3 8 2 9 4 4\n\n\
         eval range from 1m to 7m step 1m irate(dg[3m]) * 60\n  {{}} _ 3 8 2 9 4 4\n\n\
         eval range from 1m to 7m step 1m resets(dl[3m])\n  {{}} 0 1 2 2 2 2 2\n\n\
         eval range from 1m to 7m step 1m resets(dl[3m] anchored)\n  {{}} 0 1 2 3 3 3 3\n\n\
         eval range from 1m to 7m step 1m increase(dl[3m] anchored)\n  {{}} 0 3 8 10 14 13 11\n\n\
         eval range from 1m to 7m step 1m rate(dl[3m:1m]) * 180\n  {{}} _ 4.5 12 10 13.5 13 6\n\n\
         eval range from 1m to 7m step 1m increase(mid[3m])\n  {overlap} \"mid\" (2 occurrences) (1:10)\n\
           {{}} 10 20 30 30 90 90 105\n\n\
         eval instant at 4m increase(two[4m])\n  {overlap} \"two\" (1:10)\n  {{}} 7\n\n\
         eval instant at 4m resets(two[4m])\n  expect no_warn\n  {{}} 1\n\n\
         eval instant at 330s increase(l[3m])\n  {{s=\"in\"}} 37.43801652892562\n  {{s=\"edge\"}} 30\n  {{s=\"late\"}} 30\n\n\
         eval instant at 220s increase(l[2m])\n  {{s=\"in\"}} 10\n  {{s=\"edge\"}} 10\n\n\
         eval range from 1m to 6m step 1m start_timestamp(mid)\n  {{}} 50 50 0 50 280 280\n\n\
         eval range from 1m to 6m step 1m start_timestamp(mid offset 1m)\n  {{}} _ 50 50 0 50 280\n\n\
         eval instant at 1m start_timestamp(mid + 0)\n"
    );
    let report = run_memory(&script);
    assert_eq!(report.faults, Vec::new());
    for case in &report.cases {
        assert_eq!(case.outcome, Outcome::Passed, "{}", case.command);
    }
    let settings = Settings { uses_starts: false, ..Settings::default() };
    let report = run(&script, &mut MemorySource::new(), settings);
    assert!(report.failed() > 5, "without them they are not looked at: {report:?}");
}

#[test]
fn a_metric_may_be_called_as_a_command() {
    let report = run_memory(
        "load 1m\n  load 1 2\n  clear{a=\"b\"} 3\n  n 4\neval instant at 0 load\n  load 1\neval instant at 0 n\n  n 4\n",
    );
    assert_eq!((report.passed(), report.failed()), (2, 0), "{report:?}");
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
