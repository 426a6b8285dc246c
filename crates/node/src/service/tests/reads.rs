//! What a read masks, where it stops and goes on, and what it leaves behind.

use ph_filter::{Case, Filter};
use ph_link::v1::{CountBy, LogGap, LogPosition, count_event};

use super::*;

/// Lines written as they are, a nanosecond apart.
pub fn write_lines(host: &Host, lines: &[String]) {
    let path = host.dir.path().join("pods/shop_web_u1/app/0.log");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for (n, line) in lines.iter().enumerate() {
        writeln!(file, "2026-11-20T12:00:00.{n:09}Z stdout F {line}").unwrap();
    }
}

pub fn secrets() -> Vec<String> {
    let mut lines = Vec::new();
    for n in 0..20 {
        lines.push(format!("level=info request {n} done"));
        lines.push(format!("level=warn login password=hunter{n}secret user={n}"));
    }
    lines.push("-----BEGIN RSA PRIVATE KEY-----".to_owned());
    lines.extend(
        (0..10).map(|n| format!("MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8{n}")),
    );
    lines.push("-----END RSA PRIVATE KEY-----".to_owned());
    lines.push("stopped".to_owned());
    lines
}

pub fn json(filter: &Filter) -> String {
    serde_json::to_string(filter).unwrap()
}

/// Filters that ask for a text in every way.
pub fn ways(text: &str) -> Vec<Filter> {
    let regex = |pattern: String| Filter::Regex { field: None, pattern, case: Case::Sensitive };
    let not = |f: Filter| Filter::Not(Box::new(f));
    vec![
        Filter::contains(text),
        regex(format!("{}[0-9a-z]*", &text[..text.len() - 1])),
        regex(format!("{text}$|x{{40}}")),
        Filter::Equal { field: "password".into(), value: text.into() },
        not(not(Filter::contains(text))),
        Filter::And(vec![Filter::contains("login"), not(Filter::contains(text))]),
        not(regex(text.to_owned())),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_search_tells_of_what_is_masked() {
    let host = Host::start().await;
    write_lines(&host, &secrets());
    let keyed = |open: ReadOpen| ReadOpen { mask_key: vec![7; 32].into(), ..open };
    let (all, summary) = host.lines(keyed(open(ReadMode::All, 0))).await;
    assert_eq!(all.len(), secrets().len());
    assert!(!all.iter().any(|l| l.contains("hunter") || l.contains("MII")), "{all:?}");
    let kinds: Vec<_> = summary.redactions.iter().map(|r| (r.kind.as_str(), r.count)).collect();
    assert_eq!(kinds, [("pem", 12), ("named", 20)]);
    // From inside the key, too.
    for n in 1..all.len() as u64 {
        let (tail, _) = host.lines(keyed(open(ReadMode::Tail, n))).await;
        assert_eq!(tail, all[all.len() - tail.len()..], "tail {n}");
        let (back, _) = host.lines(keyed(open(ReadMode::Backward, n))).await;
        assert_eq!(back, tail, "backward {n}");
    }
    for (right, wrong) in [("hunter7secret", "huntex7secret"), ("MIIBOgIBAAJBAKj34", "MIIBOgIBAAJBAKj35")] {
        for (right, wrong) in ways(right).iter().zip(ways(wrong)) {
            let ask =
                |filter: &Filter| ReadOpen { filter_json: json(filter), ..keyed(open(ReadMode::All, 0)) };
            let (hit, missed) = (host.lines(ask(right)).await, host.lines(ask(&wrong)).await);
            assert_eq!(hit, missed, "{right:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masked_lines_carry_their_flag_and_unmasked_ones_are_the_owners_to_allow() {
    let host = Host::start().await;
    write_lines(&host, &secrets());
    let (_tell, mut stream) = host.read(open(ReadMode::Head, 2)).await;
    let mut flags = Vec::new();
    while let Some(event) = stream.message().await.unwrap() {
        if let Some(M::Batch(batch)) = event.m {
            flags.extend(batch.flags);
        }
    }
    assert_eq!(flags, [0, u32::from(ph_model::LogFlags::MASKED.0)]);
    let (tell, hear) = mpsc::channel(1);
    let ask = ReadOpen { unmasked: true, ..open(ReadMode::All, 0) };
    tell.send(control(read_control::M::Open(ask))).await.unwrap();
    let status = LogsClient::new(host.channel.clone()).read(ReceiverStream::new(hear)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert!(status.message().contains("logs.redact"), "{status:?}");
}

/// What one read gave, and where the next one goes on.
struct Page {
    lines: Vec<String>,
    gaps: Vec<LogGap>,
    summary: LogSummary,
    resume: Option<LogPosition>,
    since: Option<LogPosition>,
    looked_ns: i64,
}

async fn page(host: &Host, open: ReadOpen) -> Page {
    let (tell, mut stream) = host.read(open).await;
    let mut page = Page {
        lines: Vec::new(),
        gaps: Vec::new(),
        summary: LogSummary::default(),
        resume: None,
        since: None,
        looked_ns: 0,
    };
    while let Some(event) = stream.message().await.unwrap() {
        match event.m.unwrap() {
            M::Batch(batch) => {
                // The agent may have sent all and be gone.
                let _ = tell.send(control(read_control::M::CreditBytes(batch.raw_bytes))).await;
                page.lines.extend(messages(&batch));
            }
            M::Progress(progress) => {
                page.resume = progress.resume.or(page.resume);
                (page.since, page.looked_ns) = (progress.since, progress.looked_ns);
            }
            M::Gap(gap) => page.gaps.push(gap),
            M::Summary(summary) => page.summary = summary,
            M::Marker(_) => {}
        }
    }
    page
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_together_are_the_whole_answer() {
    let host = Host::start().await;
    host.write(0..20_000);
    let contains = |text: &str| json(&Filter::contains(text));
    let asks = [
        (ReadOpen { max_rows: 3_000, ..open(ReadMode::All, 0) }, "rows"),
        (ReadOpen { max_rows: 7, limit: 90, filter_json: contains("777"), ..open(ReadMode::All, 0) }, "rows"),
        (
            ReadOpen {
                max_rows: 2,
                filter_json: contains("line 77"),
                context_before: 3,
                context_after: 2,
                to_ns: 1_795_176_000_000_009_000,
                ..open(ReadMode::All, 0)
            },
            "rows",
        ),
        (ReadOpen { budget_bytes: 150_000, ..open(ReadMode::All, 0) }, "bytes"),
        (
            ReadOpen {
                budget_bytes: 150_000,
                filter_json: contains("00"),
                context_before: 2,
                context_after: 2,
                ..open(ReadMode::All, 0)
            },
            "bytes",
        ),
    ];
    for (ask, stopped) in asks {
        let unbounded = ReadOpen { max_rows: 0, limit: 0, budget_bytes: 0, ..ask.clone() };
        let (want, _) = host.lines(unbounded).await;
        assert!(!want.is_empty());
        let (mut got, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let next = page(&host, ReadOpen { after, ..ask.clone() }).await;
            got.extend(next.lines);
            pages += 1;
            if next.summary.stopped == "done" || pages > want.len() {
                break;
            }
            assert_eq!(next.summary.stopped, stopped);
            after = next.resume;
        }
        assert!(pages > 1, "{pages} pages of {ask:?}");
        assert_eq!(got.len(), want.len(), "{ask:?}");
        assert!(got == want, "{ask:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_toward_older_lines_are_together_the_whole_answer_with_what_stands_around() {
    let host = Host::start().await;
    host.write(0..3_000);
    let dense = json(&Filter::contains("77"));
    let rare = json(&Filter::contains("line 77"));
    for (filter, lines, budget_bytes, (context_before, context_after)) in [
        (&dense, 2, 0, (3, 2)),
        (&dense, 1, 0, (0, 4)),
        (&dense, 5, 0, (15, 0)),
        (&rare, 4, 20_000, (1, 2)),
        (&dense, 20, 9_000, (6, 6)),
    ] {
        let ask = ReadOpen {
            filter_json: filter.clone(),
            context_before,
            context_after,
            budget_bytes,
            ..open(ReadMode::Tail, lines)
        };
        let whole = ReadOpen { budget_bytes: 0, lines: 0, mode: ReadMode::All.into(), ..ask.clone() };
        let (want, _) = host.lines(whole).await;
        let (mut got, mut pages) = (Vec::new(), 0);
        let mut next = page(&host, ask.clone()).await;
        loop {
            let empty = next.lines.is_empty() && next.summary.stopped == "done";
            next.lines.append(&mut got);
            (got, pages) = (next.lines, pages + 1);
            let Some(before) = next.since.or(next.resume).filter(|_| !empty && pages < 2_000) else { break };
            let before = Some(before);
            next = page(&host, ReadOpen { before, mode: ReadMode::Backward.into(), ..ask.clone() }).await;
        }
        assert!(pages > 2, "{pages} pages of {ask:?}");
        assert!(got == want, "{ask:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backward_search_for_a_rare_line_stops_at_its_budget_and_goes_on() {
    let host = Host::start().await;
    host.write(0..200_000);
    let (mut got, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let ask = ReadOpen {
            filter_json: json(&Filter::contains("line 77777")),
            budget_bytes: 1 << 20,
            before,
            ..open(ReadMode::Backward, 0)
        };
        let next = page(&host, ask).await;
        got.extend(next.lines);
        pages += 1;
        if next.summary.stopped == "done" {
            break;
        }
        assert_eq!(next.summary.stopped, "bytes");
        before = next.resume;
    }
    assert_eq!(got, ["line 77777"]);
    assert!(pages > 1, "one page read all of it, whatever it may cost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_of_rare_lines_stops_at_its_budget_and_goes_on_backwards() {
    let host = Host::start().await;
    host.write(0..300_000);
    let (mut got, mut pages, mut looked, mut files) = (Vec::new(), 0, i64::MAX, 0);
    let ask = ReadOpen {
        filter_json: json(&Filter::contains("77777")),
        budget_bytes: 1 << 20,
        context_before: 1,
        context_after: 1,
        ..open(ReadMode::Tail, 10)
    };
    let mut next = page(&host, ask.clone()).await;
    // Toward newer lines it goes on at the end, however far back the last match lies.
    let newer = ReadOpen { after: next.resume.clone(), budget_bytes: 0, ..ask.clone() };
    assert_eq!(page(&host, ReadOpen { mode: ReadMode::All.into(), ..newer }).await.summary.lines, 0);
    loop {
        assert!(next.looked_ns < looked, "it did not come further back");
        looked = next.looked_ns;
        files += next.summary.segments_read - next.summary.segments_resumed;
        next.lines.append(&mut got);
        (got, pages) = (next.lines, pages + 1);
        if next.summary.stopped == "done" {
            break;
        }
        assert_eq!(next.summary.stopped, "bytes");
        let before = next.since.or(next.resume);
        assert!(before.is_some());
        let lines = 10 - got.iter().filter(|l| l.contains("77777")).count() as u64;
        next = page(&host, ReadOpen { before, lines, mode: ReadMode::Backward.into(), ..ask.clone() }).await;
    }
    let around = |n: u32| [n - 1, n, n + 1];
    let want: Vec<String> =
        [77_777, 177_777, 277_777].into_iter().flat_map(around).map(|n| format!("line {n}")).collect();
    assert_eq!((got, files), (want, 1));
    assert!(pages > 2, "one page read all of it, whatever it may cost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_larger_than_its_bound_says_that_it_is_not_all() {
    let host = Host::start().await;
    let lines: Vec<String> = (0..12_000).map(|n| format!("{n} {}", "x".repeat(1_000))).collect();
    write_lines(&host, &lines);
    for mode in [ReadMode::Tail, ReadMode::Backward] {
        let ask = ReadOpen { credit_bytes: 64 << 20, ..open(mode, 20_000) };
        let first = page(&host, ask.clone()).await;
        assert_eq!(first.summary.stopped, "bytes");
        assert!(first.lines.len() < lines.len() && first.lines.last() == lines.last());
        let before = first.since.or(first.resume);
        let second =
            page(&host, ReadOpen { before, ..ReadOpen { mode: ReadMode::Backward.into(), ..ask } }).await;
        assert_eq!(second.summary.stopped, "done");
        assert!([second.lines, first.lines].concat() == lines, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backward_pages_together_are_the_whole_answer() {
    let host = Host::start().await;
    host.write(0..100);
    let (mut got, mut before) = (Vec::new(), None);
    loop {
        let ask = ReadOpen { max_rows: 7, before, ..open(ReadMode::Backward, 0) };
        let mut next = page(&host, ask).await;
        next.lines.append(&mut got);
        got = next.lines;
        if next.summary.stopped == "done" {
            break;
        }
        before = next.resume;
    }
    assert_eq!(got, expected(0..100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_around_matches_are_flagged_and_lines_of_unknown_level_are_told() {
    let host = Host::start().await;
    write_lines(&host, &["a", "b", "level=error c", "d", "e", "f"].map(str::to_owned));
    let filter = Filter::Level(ph_filter::LevelTest::AtLeast(ph_model::Level::Warn));
    let ask = ReadOpen {
        filter_json: json(&filter),
        context_before: 1,
        context_after: 2,
        ..open(ReadMode::All, 0)
    };
    let (lines, summary) = host.lines(ask).await;
    assert_eq!(lines, ["b", "level=error c", "d", "e"]);
    assert_eq!((summary.matches, summary.context_lines, summary.unknown_levels), (1, 3, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_run_is_read_and_a_missing_one_named() {
    let host = Host::start().await;
    host.write(0..3);
    append(&host.dir.path().join("pods/shop_web_u1/app/1.log"), 3..5);
    let (lines, _) = host.lines(ReadOpen { previous: 1, ..open(ReadMode::Tail, 2) }).await;
    assert_eq!(lines, expected(1..3));
    let (_tell, mut stream) = host.read(ReadOpen { previous: 2, ..open(ReadMode::All, 0) }).await;
    let status = stream.message().await.unwrap_err();
    assert!(status.code() == tonic::Code::NotFound && status.message().contains("2 runs"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_that_asks_for_it_is_taken_to_the_end() {
    let host = Host::start().await;
    host.write(0..1);
    let ask = ReadOpen { follow: true, on_lag: 1, credit_bytes: 1_000, ..open(ReadMode::Tail, 0) };
    let (tell, mut stream) = host.read(ask).await;
    let (mut gap, mut lines) = (None, Vec::new());
    let mut written = false;
    while lines.last().is_none_or(|l| l != "line 999999") {
        match stream.message().await.unwrap().unwrap().m.unwrap() {
            M::Progress(progress) if progress.caught_up && !written => {
                host.write(1..100_000);
                written = true;
            }
            M::Progress(progress) if progress.caught_up && gap.is_some() => host.write(999_999..1_000_000),
            M::Batch(batch) => {
                lines.extend(messages(&batch));
                tell.send(control(read_control::M::CreditBytes(1_000))).await.unwrap();
            }
            M::Gap(found) => gap = Some(found),
            _ => {}
        }
    }
    let gap = gap.unwrap();
    assert_eq!((gap.kind.as_str(), gap.exact), ("skipped", true));
    assert!(gap.bytes > 1 << 20 && lines.len() < 90_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_abandoned_follows_leave_nothing() {
    let host = Host::start().await;
    host.write(0..3);
    let logs = host.dir.path().join("pods");
    let held = || {
        let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
        links.filter(|e| fs::read_link(e.path()).is_ok_and(|t| t.starts_with(&logs))).count()
    };
    let mut opened = 0;
    while opened < 1_000 {
        let (tell, hear) = mpsc::channel(1);
        let ask = ReadOpen { follow: true, ..open(ReadMode::Tail, 0) };
        tell.send(control(read_control::M::Open(ask))).await.unwrap();
        match LogsClient::new(host.channel.clone()).read(ReceiverStream::new(hear)).await {
            Ok(stream) => {
                opened += 1;
                drop(stream);
            }
            // Those before are still on their way out.
            Err(status) => assert_eq!(status.code(), tonic::Code::ResourceExhausted),
        }
    }
    while host.watching.followers() > 0 || held() > 0 {
        LogsClient::new(host.channel.clone()).sources(SourcesAsk::default()).await.unwrap();
    }
    assert_eq!(host.watching.watched(), 0);
    host.tasks.close();
    host.tasks.wait().await;
    host.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_reader_holds_no_more_than_its_credit_and_others_go_on() {
    let host = Host::start().await;
    host.write(0..300_000);
    let total = fs::metadata(host.dir.path().join("pods/shop_web_u1/app/0.log")).unwrap().len();
    let (tell, mut stopped) = host.read(ReadOpen { credit_bytes: 100_000, ..open(ReadMode::All, 0) }).await;
    // Two others on the same link read all of it meanwhile, one of them following.
    let (lines, summary) = host.lines(open(ReadMode::All, 0)).await;
    assert_eq!((lines.len(), summary.stopped.as_str()), (300_000, "done"));
    let (_kept, mut follow) = host.read(ReadOpen { follow: true, ..open(ReadMode::Tail, 1) }).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        if let M::Batch(batch) = follow.message().await.unwrap().unwrap().m.unwrap() {
            seen.extend(messages(&batch));
            if seen.len() == 1 {
                host.write(300_000..300_001);
            }
        }
    }
    assert_eq!(seen, expected(299_999..300_001));
    // What the agent holds for the one that stands still is what it granted, and what was scanned for that.
    let (mut taken, mut granted, mut got, mut furthest) = (0, 100_000, 0, 0);
    loop {
        match stopped.message().await.unwrap().unwrap().m.unwrap() {
            M::Batch(batch) => {
                if taken == 0 {
                    assert!(furthest < total / 4, "{furthest} of {total} bytes were read ahead");
                }
                taken += batch.raw_bytes;
                got += batch.length.len();
                assert!(taken <= granted, "{taken} bytes on a credit of {granted}");
                granted += batch.raw_bytes;
                let _ = tell.send(control(read_control::M::CreditBytes(batch.raw_bytes))).await;
            }
            M::Progress(progress) => {
                furthest = progress.scanned_bytes;
                // Times and names make a line six times its message; beyond that only one look into the file.
                assert!(furthest <= granted * 6 + (2 << 20), "{furthest} bytes scanned on {granted} granted");
            }
            M::Summary(summary) => {
                assert_eq!((got, summary.stopped.as_str()), (300_001, "done"));
                break;
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_planted_in_place_of_a_log_is_refused_and_said() {
    let host = Host::start().await;
    host.write(0..3);
    let live = host.dir.path().join("pods/shop_web_u1/app/0.log");
    fs::rename(&live, live.with_file_name("0.log.20261120-120001")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", &live).unwrap();
    let answer = page(&host, open(ReadMode::All, 0)).await;
    assert_eq!(answer.lines, expected(0..3), "what is a log is read");
    let gaps: Vec<_> = answer.gaps.iter().map(|g| (g.source, g.kind.as_str())).collect();
    assert_eq!(gaps, [(0, "denied")]);
    assert!(answer.gaps[0].text.contains("shop/web/app points outside"), "{:?}", answer.gaps);
    assert!(answer.gaps[0].planted_link);
    assert_eq!((answer.summary.gaps, answer.summary.completeness.as_str()), (1, "incomplete"));
    let ask =
        CountAsk { open: Some(open(ReadMode::Head, 3)), by: CountBy::Level.into(), ..CountAsk::default() };
    let mut counting = LogsClient::new(host.channel.clone()).count(ask).await.unwrap().into_inner();
    let mut planted = 0;
    while let Some(event) = counting.message().await.unwrap() {
        planted += usize::from(matches!(event.m, Some(count_event::M::Gap(gap)) if gap.planted_link));
    }
    assert_eq!(planted, 1, "a count says it as well");
    let listed = LogsClient::new(host.channel.clone()).sources(SourcesAsk::default()).await.unwrap();
    assert!(listed.into_inner().warnings[0].contains("refused"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_and_methods_of_a_newer_server_are_passed_over() {
    let host = Host::start().await;
    host.write(0..3);
    let (tell, mut stream) = host.read(ReadOpen { follow: true, ..open(ReadMode::All, 0) }).await;
    // A control whose variant this agent does not know arrives without one.
    tell.send(ReadControl { m: None }).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        if let M::Batch(batch) = stream.message().await.unwrap().unwrap().m.unwrap() {
            seen.extend(messages(&batch));
            if seen.len() == 3 {
                host.write(3..5);
            }
        }
    }
    assert_eq!(seen, expected(0..5));
    // A service that this agent does not have.
    let mut client = ph_link::v1::log_tickets_client::LogTicketsClient::new(host.channel.clone());
    let answer = client.issue(ph_link::v1::TicketAsk::default()).await;
    assert_eq!(answer.unwrap_err().code(), tonic::Code::Unimplemented);
    assert_eq!(host.lines(open(ReadMode::Head, 2)).await.0, expected(0..2), "the link goes on");
}
