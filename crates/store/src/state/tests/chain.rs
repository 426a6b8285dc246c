//! The audit chain: one, unbroken, append-only.

use ph_access::{Entry, Ledger};
use ph_model::ErrorKind;
use serde_json::json;

use super::*;

#[tokio::test]
async fn sixteen_writers_keep_one_unbroken_chain() {
    const WRITERS: u64 = 16;
    const EACH: u64 = 25;
    let home = Home::new().await;
    let before = home.state.audit_head(&home.owner).await.unwrap().seq;
    let mut writers = tokio::task::JoinSet::new();
    for w in 0..WRITERS {
        let (state, ctx) = (home.state.clone(), home.owner.clone());
        writers.spawn(async move {
            for i in 0..EACH {
                let entry = Entry::change("test.act", format!("thing {w}/{i}")).with(json!({"w": w, "i": i}));
                state.append(&ctx, entry, NOW).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let check = home.state.verify_audit(&home.owner).await.unwrap();
    assert_eq!(check.broken, None);
    assert_eq!(check.rows, before + WRITERS * EACH);
    assert_eq!(check.head.seq, check.rows);
}

#[tokio::test]
async fn two_processes_keep_one_chain() {
    let home = Home::new().await;
    let other = State::open(home.dir.path(), NOW).await.unwrap();
    for i in 0..10 {
        home.state.append(&home.owner, Entry::change("test.a", format!("{i}")), NOW).await.unwrap();
        other.append(&home.owner, Entry::change("test.b", format!("{i}")), NOW).await.unwrap();
    }
    assert_eq!(home.state.verify_audit(&home.owner).await.unwrap().broken, None);
}

#[tokio::test]
async fn rows_cannot_be_changed_or_deleted() {
    let home = Home::new().await;
    let db = home.intruder().await;
    for sql in [
        "UPDATE audit SET actor = 'user:nobody' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 1",
        "UPDATE audit_head SET seq = seq - 1",
        "DELETE FROM audit_head",
    ] {
        let refused = sqlx::query(sql).execute(&db).await.unwrap_err().to_string();
        assert!(
            refused.contains("append-only") || refused.contains("only moves forward"),
            "{sql}: {refused}"
        );
    }
}

async fn tampered(sql: &'static str) -> (u64, String) {
    let home = Home::new().await;
    for i in 0..9 {
        home.state.append(&home.owner, Entry::change("test.act", format!("thing {i}")), NOW).await.unwrap();
    }
    let db = home.intruder().await;
    sqlx::raw_sql(
        "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER audit_head_forward",
    )
    .execute(&db)
    .await
    .unwrap();
    sqlx::raw_sql(sql).execute(&db).await.unwrap();
    let broken = home.state.verify_audit(&home.owner).await.unwrap().broken.unwrap();
    (broken.seq, broken.reason)
}

#[tokio::test]
async fn verify_names_the_row_that_was_edited_by_hand() {
    assert_eq!(tampered("UPDATE audit SET object = 'nothing' WHERE seq = 6").await.0, 6);
    assert_eq!(tampered("UPDATE audit SET detail = '{' WHERE seq = 4").await.0, 4);
    assert_eq!(tampered("DELETE FROM audit WHERE seq = 5").await.0, 5);
    let (seq, why) = tampered("DELETE FROM audit WHERE seq = (SELECT MAX(seq) FROM audit)").await;
    assert!(why.contains("rows were removed"), "{why}");
    assert_eq!(seq, 12);
    let inserted = "INSERT INTO audit SELECT org_id, seq + 1000, at_ms, actor, client, ip, user_agent, request_id, session, action, \
                    cluster, object, target_uid, decision, rule, state, detail, decision_seq, prev, hash FROM audit WHERE seq = 2";
    assert_eq!(tampered(inserted).await.0, 13);
}

#[tokio::test]
async fn a_change_without_its_row_does_not_happen() {
    let home = Home::new().await;
    let db = home.intruder().await;
    sqlx::raw_sql("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        .execute(&db)
        .await
        .unwrap();
    let new = NewKey {
        name: "ci".into(),
        role: Role::Viewer,
        bot: false,
        cluster: None,
        public_id: "abc".into(),
        prefix: "phk".into(),
        mac: [0; 32],
        expires_ms: None,
    };
    let refused = home
        .state
        .create_key(&home.owner, new, Entry::change("key.create", "key ci"), NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Internal);
    assert!(refused.text.contains("nothing was changed"), "{refused}");
    assert!(home.state.keys(&home.owner).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_full_disk_refuses_the_change_and_says_so() {
    let home = Home::new().await;
    // One page more than the file has now: SQLite answers as on a full disk.
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&home.state.writer).await.unwrap();
    let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(sql).execute(&home.state.writer).await.unwrap();
    let big = Entry::change("test.act", "x".repeat(200_000));
    let refused = home.state.append(&home.owner, big, NOW).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Exhausted, "{refused}");
    assert!(refused.text.contains("disk under state.db is full"), "{refused}");
    assert_eq!(home.state.verify_audit(&home.owner).await.unwrap().broken, None);
}

#[tokio::test]
async fn pages_and_filters_cover_every_row_once() {
    let home = Home::new().await;
    for i in 0..25 {
        let action = if i % 2 == 0 { "exec.open" } else { "logs.query" };
        let entry = Entry::change(action, format!("pod shop/web_{i}")).on_cluster("eu%1");
        home.state.append(&home.owner, entry, NOW + i).await.unwrap();
    }
    let all = home.state.audit_head(&home.owner).await.unwrap().seq;
    let mut seen = Vec::new();
    let mut ask = AuditAsk { limit: 10, ..AuditAsk::default() };
    loop {
        let page = home.state.audit(&home.owner, &ask).await.unwrap();
        seen.extend(page.rows.iter().map(|r| r.seq));
        match page.next {
            Some(next) => ask.before = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, (1..=all).rev().collect::<Vec<_>>());
    let count = |ask: AuditAsk| {
        let (state, ctx) = (home.state.clone(), home.owner.clone());
        async move { state.audit(&ctx, &AuditAsk { limit: 1000, ..ask }).await.unwrap().rows.len() }
    };
    let text = |s: &str| Some(s.to_owned());
    assert_eq!(count(AuditAsk { action: text("exec"), ..AuditAsk::default() }).await, 13);
    assert_eq!(count(AuditAsk { object: text("web_3"), ..AuditAsk::default() }).await, 1);
    assert_eq!(count(AuditAsk { object: text("web%"), ..AuditAsk::default() }).await, 0);
    assert_eq!(count(AuditAsk { cluster: text("eu%1"), ..AuditAsk::default() }).await, 25);
    assert_eq!(
        count(AuditAsk { from_ms: Some(NOW + 20), to_ms: Some(NOW + 22), ..AuditAsk::default() }).await,
        2
    );
    assert_eq!(
        count(AuditAsk { actor: text("owner@example"), decision: text("allow"), ..AuditAsk::default() })
            .await,
        26
    );
}

#[tokio::test]
async fn chains_of_two_organisations_do_not_meet() {
    let home = Home::new().await;
    let twin = home.twin().await;
    home.state.append(&home.owner, Entry::change("test.act", "mine"), NOW).await.unwrap();
    let rows = home.state.audit(&twin, &AuditAsk { limit: 1000, ..AuditAsk::default() }).await.unwrap().rows;
    assert!(rows.iter().all(|r| r.object != "mine"));
    assert_eq!(home.state.verify_audit(&twin).await.unwrap().broken, None);
    assert_eq!(home.state.verify_audit(&home.owner).await.unwrap().broken, None);
}
