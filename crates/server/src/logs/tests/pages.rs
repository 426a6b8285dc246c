//! Pages both ways, budgets, the seam between files and store, what is refused.

use super::super::ask::{Ask, Mode, Origin};
use super::super::history::{Asked, page};
use super::super::resolve::resolve;
use super::super::routes::numbered;
use super::*;

/// All pages in one direction, oldest line first.
async fn walk(room: &Room, query: Value, back: bool) -> Vec<String> {
    let mut query = query;
    let mut all: Vec<String> = Vec::new();
    for _ in 0..100 {
        let page = room.query(query.clone()).await;
        let mut got = texts(&page);
        let token = if back { &page["prev"] } else { &page["next"] };
        let over = token.is_null() || (!back && got.is_empty() && page["summary"]["stopped"] == "done");
        if back {
            got.append(&mut all);
            all = got;
            query["before"] = token.clone();
        } else {
            all.append(&mut got);
            query["after"] = token.clone();
        }
        if over {
            return all;
        }
    }
    panic!("the pages do not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_one_time_come_once_in_pages_of_both_directions() {
    let room = Room::start(&["a", "b"]).await;
    let mut expected: Vec<String> = Vec::new();
    for i in 0..1_500 {
        room.write("a", 0, &format!("a{i}"));
        expected.push(format!("a{i}"));
    }
    room.disk.rotate("b");
    for i in 0..1_500 {
        room.write("b", 0, &format!("b{i}"));
        expected.push(format!("b{i}"));
    }
    for (mode, back) in [("head", false), ("tail", true)] {
        for limit in [1_000, 700] {
            let query = json!({"sources": [], "mode": mode, "limit": limit, "origin": "files"});
            assert_eq!(walk(&room, query, back).await, expected, "{mode} {limit}");
        }
    }
    // There and back again: the page after the page before is the page.
    let tail = room.query(json!({"sources": [], "limit": 10})).await;
    let older = room.query(json!({"sources": [], "limit": 10, "before": tail["prev"]})).await;
    let again = room.query(json!({"sources": [], "limit": 10, "after": older["next"]})).await;
    assert_eq!(texts(&again), texts(&tail));
    assert_eq!(texts(&older).last().unwrap(), "b1489");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_budget_stops_and_its_token_goes_on_exactly() {
    let room = Room::start(&["a", "b"]).await;
    let mut expected = Vec::new();
    for i in 0..60 {
        let name = if i % 2 == 0 { "a" } else { "b" };
        let text = format!("{} n={i}", if i % 7 == 0 { "hit" } else { "miss" });
        room.write(name, i, &text);
        expected.extend((i % 7 == 0).then_some(text));
    }
    let (app, ctx) = (&room.bed.stack.running.app, room.ctx().await);
    let sources = numbered(resolve(app, &ctx, &[]).unwrap()).unwrap();
    let asked = Asked { app, ctx: &ctx, sources: &sources };
    for (mode, back) in [(Mode::Head, false), (Mode::Tail, true)] {
        let mut ask = Ask {
            mode,
            origin: Origin::Files,
            filter: ph_filter::Filter::contains("hit"),
            limit: 3,
            ..Ask::everything()
        };
        ask.budget.scan_bytes = 400;
        let (mut got, mut stops) = (Vec::new(), 0);
        for _ in 0..100 {
            let found = page(&asked, &ask).await.unwrap();
            got.extend(found.records.iter().map(|r| String::from_utf8(r.message.to_vec()).unwrap()));
            stops += usize::from(found.summary.stopped == "bytes");
            let token = if back { found.prev } else { found.next };
            if token.is_none() || (!back && found.summary.stopped == "done") {
                break;
            }
            ask.token = token;
        }
        got.sort();
        let mut all = expected.clone();
        all.sort();
        assert_eq!(got, all, "{mode:?}");
        assert!(stops > 1, "the budget was never used up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_for_rare_lines_comes_further_back_with_each_page_and_swaps_none() {
    let room = Room::start(&["a", "b"]).await;
    let mut expected = Vec::new();
    for i in 0..400 {
        // One source has hits close together at its end, the other few and far back.
        let (name, hit) = if i % 2 == 0 { ("a", i > 300 || i == 80) } else { ("b", i == 31 || i == 331) };
        let text = format!("{} {i}", if hit { "hit" } else { "miss" });
        room.write(name, i, &text);
        expected.extend(hit.then_some(text));
    }
    let (app, ctx) = (&room.bed.stack.running.app, room.ctx().await);
    let sources = numbered(resolve(app, &ctx, &[]).unwrap()).unwrap();
    let asked = Asked { app, ctx: &ctx, sources: &sources };
    let mut ask = Ask {
        mode: Mode::Tail,
        origin: Origin::Files,
        filter: ph_filter::Filter::contains("hit"),
        limit: 20,
        ..Ask::everything()
    };
    ask.budget.scan_bytes = 3_000;
    let (mut got, mut without, mut looked) = (Vec::new(), 0, i64::MAX);
    for pages in 0.. {
        assert!(pages < 60, "the pages do not end");
        let mut found = page(&asked, &ask).await.unwrap();
        without += usize::from(found.records.is_empty());
        let more = found.prev.is_some();
        assert_eq!(found.looked_ns.is_some(), found.summary.stopped == "bytes", "{:?}", found.summary);
        assert!(found.looked_ns.is_none_or(|at| at <= looked));
        looked = found.looked_ns.unwrap_or(looked);
        found.records.append(&mut got);
        got = found.records;
        if pages == 0 {
            // Toward newer lines it goes on at the end.
            let next = Ask { token: found.next.clone(), ..ask.clone() };
            assert!(page(&asked, &next).await.unwrap().records.is_empty());
        }
        if !more {
            break;
        }
        ask.token = found.prev;
    }
    let got: Vec<String> = got.iter().map(|r| String::from_utf8(r.message.to_vec()).unwrap()).collect();
    assert_eq!(got, expected, "each once, and in order over all pages");
    assert!(without > 1, "no page was without a line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_key_has_the_budget_of_a_person_and_a_bots_that_of_a_bot() {
    let room = Room::start(&["a"]).await;
    for i in 0..2_300 {
        room.write("a", i, &format!("{i}"));
    }
    let made = async |name: &str, bot: bool| {
        let (_, key) = room.post("/api/v1/keys", json!({"name": name, "role": "viewer", "bot": bot})).await;
        assert_eq!(key["key"]["bot"], bot, "{key}");
        key["secret"].as_str().unwrap().to_owned()
    };
    let (own, secret) = (made("mine", false).await, made("bot", true).await);
    let with = async |secret: &str, body: Value| -> Value {
        let url = room.bed.stack.url("/api/v1/logs/query");
        crate::app::tests::client()
            .post(url)
            .bearer_auth(secret)
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let ask = async |body: Value| with(&secret, body).await;
    let page = with(&own, json!({"sources": [], "limit": 1000})).await;
    assert_eq!(page["records"].as_array().map(Vec::len), Some(1_000), "{}", page["detail"]);
    // Lines as they are want the person's own session, whatever the key is for.
    assert_eq!(with(&own, json!({"sources": [], "unmasked": true})).await["kind"], "denied");
    let refused = ask(json!({"sources": [], "limit": 201})).await;
    assert_eq!(refused["errors"][0]["path"], "limit", "{refused}");
    let unmasked = ask(json!({"sources": [], "unmasked": true})).await;
    assert_eq!(unmasked["kind"], "denied", "{unmasked}");
    let (mut rows, mut query) = (0, json!({"sources": [], "mode": "head", "limit": 200}));
    let last = loop {
        let page = ask(query.clone()).await;
        rows += page["records"].as_array().unwrap().len();
        if page["next"].is_null() {
            break page;
        }
        query["after"] = page["next"].clone();
    };
    assert_eq!((rows, last["summary"]["stopped"].as_str()), (2_000, Some("rows")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipped_lines_and_files_meet_with_no_line_twice_and_none_missing() {
    let room = Room::start(&["a", "b"]).await;
    let mut shipped: Vec<(i64, String, (u128, u64))> = Vec::new();
    let mut expected = Vec::new();
    for i in 0..40 {
        if i % 10 == 0 && i > 0 {
            room.disk.rotate("a");
        }
        let at = room.write("a", i, &format!("a{i}"));
        shipped.push((i, format!("a{i}"), at));
        expected.push((i, format!("a{i}")));
    }
    // Files of b reach back beyond those of a.
    for i in 0..20 {
        room.write("b", i, &format!("b{i}"));
        expected.push((i, format!("b{i}")));
    }
    let rows: Vec<_> = shipped.iter().map(|(ms, t, at)| (*ms, t.as_str(), *at)).collect();
    room.ship("a", &rows).await;
    room.disk.forget("a");
    room.disk.forget("a");
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, t)| t).collect();
    for (mode, back) in [("tail", true), ("head", false)] {
        for limit in [7, 13, 1_000] {
            let query = json!({"sources": [], "mode": mode, "limit": limit});
            assert_eq!(walk(&room, query, back).await, expected, "{mode} {limit}");
        }
    }
    let page = room.query(json!({"sources": [], "limit": 1000})).await;
    let seams: Vec<_> = page["markers"].as_array().unwrap().iter().filter(|m| m["kind"] == "seam").collect();
    assert_eq!(seams.len(), 1, "{seams:?}");
    let origins: Vec<_> = page["records"].as_array().unwrap().iter().map(|r| r["origin"].clone()).collect();
    assert_eq!(origins.iter().filter(|o| **o == "store").count(), 20);
    let files = room.query(json!({"sources": [], "limit": 1000, "origin": "files"})).await;
    assert_eq!(files["records"].as_array().unwrap().len(), 40);
    let store =
        walk(&room, json!({"sources": [], "mode": "head", "limit": 9, "origin": "store"}), false).await;
    assert_eq!(store, (0..40).map(|i| format!("a{i}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_in_the_store_stops_when_its_time_is_up_and_goes_on_exactly() {
    let room = Room::start(&["a", "b"]).await;
    let mut expected = Vec::new();
    for part in 0..6 {
        let mut shipped: Vec<(i64, String, (u128, u64))> = Vec::new();
        for i in part * 20..part * 20 + 20 {
            if i % 10 == 0 && i > 0 {
                room.disk.rotate("a");
            }
            let text = format!("{} a{i}", if [3, 4, 77, 118].contains(&i) { "hit" } else { "miss" });
            let at = room.write("a", i, &text);
            expected.extend(text.starts_with("hit").then(|| (i, text.clone())));
            shipped.push((i, text, at));
        }
        let rows: Vec<_> = shipped.iter().map(|(ms, t, at)| (*ms, t.as_str(), *at)).collect();
        room.ship("a", &rows).await;
        room.bed.stack.running.telemetry.flush().await.unwrap();
    }
    // 12 files; the last one stays.
    (0..11).for_each(|_| room.disk.forget("a"));
    for i in [1, 50, 110] {
        room.write("b", i, &format!("hit b{i}"));
        expected.push((i, format!("hit b{i}")));
    }
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, text)| text).collect();
    let (app, ctx) = (&room.bed.stack.running.app, room.ctx().await);
    let sources = numbered(resolve(app, &ctx, &[]).unwrap()).unwrap();
    let asked = Asked { app, ctx: &ctx, sources: &sources };
    for (mode, back) in [(Mode::Head, false), (Mode::Tail, true)] {
        let filter = ph_filter::Filter::contains("hit");
        let mut ask = Ask { mode, origin: Origin::Auto, filter, limit: 3, ..Ask::everything() };
        ask.budget.scan_ms = 0;
        let (mut got, mut stops) = (Vec::new(), 0);
        for _ in 0..100 {
            let mut found = page(&asked, &ask).await.unwrap();
            stops += usize::from(found.summary.stopped == "time");
            if back {
                found.records.reverse();
            }
            got.extend(found.records.iter().map(|r| String::from_utf8(r.message.to_vec()).unwrap()));
            let token = if back { found.prev } else { found.next };
            if token.is_none() || (!back && found.summary.stopped == "done") {
                break;
            }
            ask.token = token;
        }
        if back {
            got.reverse();
        }
        assert_eq!(got, expected, "{mode:?}");
        assert!(stops > 2, "{mode:?}: its time was up {stops} times");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_finds_nothing_says_where_newer_lines_begin() {
    let room = Room::start(&["a", "b"]).await;
    for i in 0..20 {
        room.write(if i % 2 == 0 { "a" } else { "b" }, i, &format!("miss {i}"));
    }
    let mut query = json!({"sources": [], "filter": {"expr": "hit"}, "limit": 10, "origin": "files"});
    let empty = room.query(query.clone()).await;
    assert_eq!(texts(&empty), [""; 0]);
    room.write("a", 30, "hit 1");
    query["after"] = empty["next"].clone();
    let newer = room.query(query).await;
    assert_eq!(texts(&newer), ["hit 1"]);
    // Old lines are not read again for it.
    let scanned = |page: &Value| page["summary"]["scanned_bytes"].as_u64().unwrap();
    assert!(scanned(&newer) < scanned(&empty), "{newer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_selects_and_faults_are_named_with_their_place() {
    let room = Room::start(&["a"]).await;
    room.write("a", 0, r#"{"status":200,"path":"/healthz"}"#);
    room.write("a", 1, r#"{"status":503,"path":"/buy"}"#);
    room.write("a", 2, r#"{"status":500,"path":"/healthz"}"#);
    let filter = json!({"expr": "status>=500 and not path:\"/healthz\""});
    let page = room.query(json!({"sources": [], "filter": filter, "fields": ["status", "none"]})).await;
    assert_eq!(texts(&page), [r#"{"status":503,"path":"/buy"}"#]);
    assert_eq!(page["records"][0]["fields"], json!({"status": "503"}));
    let (status, problem) = room
        .post("/api/v1/logs/query", json!({"sources": [], "filter": {"expr": "status>=500 and (x"}}))
        .await;
    assert_eq!((status, problem["errors"][0]["path"].as_str()), (422, Some("filter.expr")), "{problem}");
    assert!(problem["errors"][0]["from"].as_u64().is_some_and(|from| from >= 12), "{problem}");
    let (status, problem) =
        room.post("/api/v1/logs/query", json!({"sources": [], "order": "arrival", "with": ["alerts"]})).await;
    assert_eq!(status, 422);
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
    let foreign = room.query(json!({"sources": [], "limit": 1})).await["prev"].clone();
    let (status, problem) =
        room.post("/api/v1/logs/query", json!({"sources": [], "from": "1", "before": foreign})).await;
    assert_eq!((status, problem["kind"].as_str()), (422, Some("invalid_cursor")), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_row_a_query_names_figures_and_a_digest_and_never_text() {
    let room = Room::start(&["a"]).await;
    room.write("a", 0, "the secret word");
    room.query(json!({"sources": []})).await;
    let rows = room.bed.audit("logs.query").await;
    let outcome =
        rows.iter().find(|r| r["detail"]["digest"].is_string()).unwrap_or_else(|| panic!("{rows:?}"));
    assert_eq!(outcome["detail"]["rows"], 1);
    assert!(outcome["detail"]["bytes"].as_u64().unwrap() > 0);
    assert!(!serde_json::to_string(&rows).unwrap().contains("secret word"));
    // The key for masks reaches the agent, and no other organisation's would be the same.
    let opened = room.disk.opened.lock().unwrap();
    assert_eq!(opened.last().unwrap().mask_key.len(), 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_left_to_the_api_from_its_oldest_line_on() {
    let room = Room::start(&["a"]).await;
    room.disk.over_api("a");
    let rows: Vec<_> = (0_u32..)
        .zip(["one", "two", "three", "four"])
        .map(|(n, text)| (i64::from(n), text, (77 << 64, u64::from(n))))
        .collect();
    room.ship("a", &rows).await;
    for (ms, text) in [(2, "three"), (3, "four"), (4, "five")] {
        room.write("a", ms, text);
    }
    for mode in ["head", "tail"] {
        let page = room.query(json!({"sources": [], "mode": mode, "limit": 100})).await;
        assert_eq!(texts(&page), ["one", "two", "three", "four", "five"], "{mode}");
        let origins: Vec<&str> =
            page["records"].as_array().unwrap().iter().map(|r| r["origin"].as_str().unwrap()).collect();
        assert_eq!(origins, ["store", "store", "api", "api", "api"]);
    }
    let count = json!({"query": {"sources": []}, "by": "level"});
    let (_, count) = room.post("/api/v1/logs/count", count).await;
    assert_eq!(count["buckets"][0]["count"], 5, "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_on_the_container_chooses_containers_whatever_it_is_joined_with() {
    let room = Room::start(&["a", "b"]).await;
    let mut kept = Vec::new();
    for i in 0..20 {
        kept.push(room.write("a", i * 2, &format!("a{i} n={i}")));
        room.write("b", i * 2 + 1, &format!("b{i} n={i}"));
    }
    let ask = |expr: &str| json!({"sources": [], "limit": 100, "filter": {"expr": expr}});
    let both: Vec<String> = (0..20).flat_map(|i| [format!("a{i} n={i}"), format!("b{i} n={i}")]).collect();
    let of = |keep: &dyn Fn(&str, usize) -> bool| -> Vec<String> {
        both.iter().enumerate().filter(|(i, t)| keep(t, i / 2)).map(|(_, t)| t.clone()).collect()
    };
    for (expr, want) in [
        ("container=c-a", of(&|t, _| t.starts_with('a'))),
        ("container!=c-a n>=18", of(&|t, n| t.starts_with('b') && n >= 18)),
        ("container:c-b and node=h1 and n=3", of(&|t, n| t.starts_with('b') && n == 3)),
        ("(container=c-a n=1) or (container=c-b n=2)", vec!["a1 n=1".into(), "b2 n=2".into()]),
        ("container=c-a or n=7", of(&|t, n| t.starts_with('a') || n == 7)),
        ("node=elsewhere", Vec::new()),
        ("cluster=h n=5", of(&|_, n| n == 5)),
    ] {
        assert_eq!(texts(&room.query(ask(expr)).await), want, "{expr}");
    }
    assert_eq!(room.query(ask("container=c-a n=1")).await["sources"].as_array().unwrap().len(), 1);
    let counted = json!({"query": ask("container=c-a or n=7"), "by": "field", "field": "container"});
    let (_, counted) = room.post("/api/v1/logs/count", counted).await;
    assert_eq!((&counted["buckets"][0]["key"], &counted["buckets"][0]["count"]), (&"c-a".into(), &20.into()));
    assert_eq!((&counted["buckets"][1]["key"], &counted["buckets"][1]["count"]), (&"c-b".into(), &1.into()));
    // Pages of such a question go on where they stopped, each line once.
    let mut query = ask("container=c-a or n>=15");
    query["limit"] = 4.into();
    query["mode"] = "head".into();
    assert_eq!(walk(&room, query, false).await, of(&|t, n| t.starts_with('a') || n >= 15));
    // What the files no longer hold is asked the same of the store.
    room.disk.rotate("a");
    room.ship("a", &[(0, "a0 n=0", kept[0]), (2, "a1 n=1", kept[1])]).await;
    let mut stored = ask("container=c-b or n=1");
    stored["origin"] = "store".into();
    assert_eq!(texts(&room.query(stored).await), ["a1 n=1"]);
}

/// What one container's pages give together, oldest first, with a mark on what stands beside a match.
type Given = std::collections::BTreeMap<u32, Vec<String>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_around_matches_are_whole_over_pages_toward_older_lines_and_come_once() {
    let room = Room::start(&["a", "b"]).await;
    let hits = |i: i64| i % 11 == 0 || i % 17 < 2 || (60..64).contains(&i);
    for i in 0..160 {
        let text = format!("{} {i}", if hits(i) { "hit" } else { "miss" });
        room.write(if i % 3 == 0 { "a" } else { "b" }, i, &text);
        if i == 70 {
            room.disk.rotate("a");
        }
    }
    let (app, ctx) = (&room.bed.stack.running.app, room.ctx().await);
    let sources = numbered(resolve(app, &ctx, &[]).unwrap()).unwrap();
    let asked = Asked { app, ctx: &ctx, sources: &sources };
    let take = |page: &super::super::history::Page, into: &mut Given| {
        let mut new = Given::new();
        for r in &page.records {
            let mark = if r.is_context() { "-" } else { "+" };
            let text = String::from_utf8(r.message.to_vec()).unwrap();
            new.entry(r.source).or_default().push(format!("{mark}{text}"));
        }
        for (source, mut lines) in new {
            let older = into.entry(source).or_default();
            lines.append(older);
            *older = lines;
        }
    };
    for (before, after) in [(2, 0), (0, 2), (1, 3), (5, 5)] {
        let all = Ask {
            mode: Mode::Head,
            origin: Origin::Files,
            filter: ph_filter::Filter::contains("hit"),
            context: ph_api::LogContext { before, after },
            limit: 1_000,
            ..Ask::everything()
        };
        let mut want = Given::new();
        take(&page(&asked, &all).await.unwrap(), &mut want);
        assert_eq!(want.len(), 2);
        for (limit, scan_bytes) in [(1, u64::MAX), (3, u64::MAX), (20, 900), (4, 700)] {
            let mut ask = Ask { mode: Mode::Tail, limit, ..all.clone() };
            ask.budget.scan_bytes = scan_bytes;
            let mut got = Given::new();
            for pages in 0.. {
                assert!(pages < 200, "the pages do not end");
                let found = page(&asked, &ask).await.unwrap();
                take(&found, &mut got);
                let Some(prev) = found.prev else { break };
                ask.token = Some(prev);
            }
            assert_eq!(got, want, "context {before} {after}, pages of {limit}, {scan_bytes} bytes each");
        }
    }
    // Over the API: the second page is asked for with the same context.
    let query = json!({"sources": [], "origin": "files", "limit": 2, "filter": {"contains": "hit"},
        "context": {"before": 1, "after": 1}});
    let newest = room.query(query.clone()).await;
    let mut older = query;
    older["before"] = newest["prev"].clone();
    let older = room.query(older).await;
    let matches = older["records"].as_array().unwrap().iter().filter(|r| r["flags"].is_null()).count();
    assert_eq!(matches, 2, "{older}");
}
