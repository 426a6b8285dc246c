//! Readings one after another.

use expect_test::{Expect, expect};

use super::*;
use crate::group::show;

fn group(at_ms: i64, cpu: f64, memory: u64) -> Group {
    let mut g = Group::new(Subject::Container { id: "c".into() });
    g.at(at_ms)
        .since(Some(1))
        .double(n::CONTAINER_CPU_TIME, Some(cpu))
        .int(n::CONTAINER_MEMORY_USAGE, Some(memory));
    g
}

fn check(readings: &[Vec<Group>], expected: Expect) {
    let mut tracker = Tracker::default();
    let mut shown = String::new();
    for (i, groups) in readings.iter().enumerate() {
        let passed = tracker.pass(groups.clone(), 1_000_000 + i as i64);
        shown.push_str(&format!("reading {i}\n{}", show::groups(&passed)));
    }
    expected.assert_eq(&shown);
}

#[test]
fn use_is_the_rate_between_two_readings() {
    check(
        &[vec![group(1_000, 10.0, 5)], vec![group(3_000, 11.0, 6)]],
        expect![[r#"
        reading 0
        container c
          container.cpu.time 10.0 s @1000 since 1
          container.memory.usage 5 By @1000
        reading 1
        container c
          container.cpu.usage 0.5 {cpu} @3000
          container.cpu.time 11.0 s @3000 since 1
          container.memory.usage 6 By @3000
    "#]],
    );
}

#[test]
fn a_value_whose_time_did_not_advance_is_not_sent_again() {
    check(
        &[vec![group(1_000, 10.0, 5)], vec![group(1_000, 10.0, 5)], vec![group(2_000, 10.0, 5)]],
        expect![[r#"
            reading 0
            container c
              container.cpu.time 10.0 s @1000 since 1
              container.memory.usage 5 By @1000
            reading 1
            reading 2
            container c
              container.cpu.usage 0.0 {cpu} @2000
              container.cpu.time 10.0 s @2000 since 1
              container.memory.usage 5 By @2000
        "#]],
    );
}

#[test]
fn a_fall_is_a_reset_without_a_spike() {
    check(
        &[vec![group(1_000, 10.0, 5)], vec![group(2_000, 0.5, 5)], vec![group(3_000, 0.75, 5)]],
        expect![[r#"
            reading 0
            container c
              container.cpu.time 10.0 s @1000 since 1
              container.memory.usage 5 By @1000
            reading 1
            container c
              container.cpu.time 0.5 s @2000 since 1000
              container.memory.usage 5 By @2000
            reading 2
            container c
              container.cpu.usage 0.25 {cpu} @3000
              container.cpu.time 0.75 s @3000 since 1000
              container.memory.usage 5 By @3000
        "#]],
    );
}

#[test]
fn what_is_gone_ends_with_a_marker_once() {
    check(
        &[vec![group(1_000, 10.0, 5)], vec![], vec![]],
        expect![[r#"
            reading 0
            container c
              container.cpu.time 10.0 s @1000 since 1
              container.memory.usage 5 By @1000
            reading 1
            container c
              container.cpu.time NaN s @1000001 since 1
              container.memory.usage NaN By @1000001
            reading 2
        "#]],
    );
}

#[test]
fn a_rate_outlives_a_reading_without_news() {
    let mut tracker = Tracker::default();
    for (at, cpu) in [(1_000, 1.0), (2_000, 2.0), (2_000, 2.0), (3_000, 0.5)] {
        let passed = tracker.pass(vec![group(at, cpu, 5)], at);
        let ends = passed
            .iter()
            .flat_map(|g| &g.points)
            .filter(|p| ph_model::is_stale_marker(p.value.as_f64()))
            .count();
        assert_eq!(ends, 0, "at {at}");
    }
}
