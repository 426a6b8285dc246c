//! Boards: versions, titles, limits, and that they are one organisation's alone.

use ph_access::Entry;
use ph_model::ErrorKind;
use uuid::Uuid;

use super::*;

fn text(title: &str, body: &str) -> BoardText {
    BoardText { title: title.into(), says: "what it shows".into(), panels: 1, body: body.into() }
}

fn entry() -> (Entry, i64) {
    (Entry::change("board.edit", "board x"), NOW)
}

async fn make(home: &Home, ctx: &TenantCtx, title: &str) -> BoardRecord {
    home.state.create_board(ctx, (Uuid::now_v7(), text(title, "{}")), entry()).await.unwrap()
}

#[tokio::test]
async fn a_change_over_a_newer_version_is_not_written() {
    let home = Home::new().await;
    let made = make(&home, &home.owner, "Shop").await;
    assert_eq!((made.version, made.created_by.as_str()), (1, "user:owner@example.org"));
    let first = (made.id, 1, text("Shop", "first"));
    let BoardWrite::Done(first) = home.state.change_board(&home.owner, first, entry()).await.unwrap() else {
        panic!("the first change is written")
    };
    assert_eq!((first.version, first.text.body.as_str()), (2, "first"));
    let late = (made.id, 1, text("Shop", "late"));
    let late = home.state.change_board(&home.owner, late, entry()).await.unwrap();
    assert_eq!(late, BoardWrite::Newer(first.clone()));
    let gone = home.state.remove_board(&home.owner, (made.id, Some(1)), entry()).await.unwrap();
    assert_eq!(gone, BoardWrite::Newer(first.clone()));
    assert_eq!(home.state.board(&home.owner, made.id).await.unwrap(), Some(first.clone()));
    let gone = home.state.remove_board(&home.owner, (made.id, Some(2)), entry()).await.unwrap();
    assert_eq!(gone, BoardWrite::Done(first));
    assert_eq!(home.state.board(&home.owner, made.id).await.unwrap(), None);
}

#[tokio::test]
async fn of_many_changes_at_once_one_is_written() {
    let home = Home::new().await;
    let made = make(&home, &home.owner, "Shop").await;
    let mut tries = tokio::task::JoinSet::new();
    for i in 0..8 {
        let (state, ctx) = (home.state.clone(), home.owner.clone());
        let change = (made.id, 1, text("Shop", &i.to_string()));
        tries.spawn(async move { state.change_board(&ctx, change, entry()).await.unwrap() });
    }
    let ended = tries.join_all().await;
    assert_eq!(ended.iter().filter(|e| matches!(e, BoardWrite::Done(_))).count(), 1);
    assert_eq!(ended.iter().filter(|e| matches!(e, BoardWrite::Newer(b) if b.version == 2)).count(), 7);
}

#[tokio::test]
async fn titles_are_taken_once() {
    let home = Home::new().await;
    make(&home, &home.owner, "Shop").await;
    let other = make(&home, &home.owner, "Bank").await;
    let again = (Uuid::now_v7(), text("Shop", "{}"));
    let refused = home.state.create_board(&home.owner, again, entry()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.text.contains("\"Shop\" is there already; choose another"), "{refused}");
    let renamed = (other.id, 1, text("Shop", "{}"));
    let refused = home.state.change_board(&home.owner, renamed, entry()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    let titles: Vec<String> =
        home.state.boards(&home.owner).await.unwrap().into_iter().map(|b| b.text.title).collect();
    assert_eq!(titles, ["Bank", "Shop"]);
}

#[tokio::test]
async fn an_organisation_has_a_bounded_number() {
    let home = Home::new().await;
    for i in 0..MOST_BOARDS {
        make(&home, &home.owner, &format!("board {i}")).await;
    }
    let one_more = (Uuid::now_v7(), text("one more", "{}"));
    let refused = home.state.create_board(&home.owner, one_more, entry()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Exhausted);
    assert!(refused.text.contains("200 boards are the most"), "{refused}");
}

#[tokio::test]
async fn boards_of_another_organisation_are_not_there() {
    let home = Home::new().await;
    let twin = home.twin().await;
    let theirs = make(&home, &twin, "Shop").await;
    // The same title is free here.
    make(&home, &home.owner, "Shop").await;
    assert_eq!(home.state.board(&home.owner, theirs.id).await.unwrap(), None);
    let change = (theirs.id, 1, text("Stolen", "{}"));
    let ended = home.state.change_board(&home.owner, change, entry()).await.unwrap();
    assert_eq!(ended, BoardWrite::Missing);
    let ended = home.state.remove_board(&home.owner, (theirs.id, None), entry()).await.unwrap();
    assert_eq!(ended, BoardWrite::Missing);
    assert_eq!(home.state.board(&twin, theirs.id).await.unwrap(), Some(theirs));
}

#[tokio::test]
async fn every_change_has_its_audit_row_and_a_refused_one_has_none() {
    let home = Home::new().await;
    let rows = async || -> Vec<(String, String)> {
        let page =
            home.state.audit(&home.owner, &AuditAsk { limit: 100, ..AuditAsk::default() }).await.unwrap();
        page.rows.into_iter().filter(|r| r.action == "board.edit").map(|r| (r.object, r.target_uid)).collect()
    };
    let made = make(&home, &home.owner, "Shop").await;
    home.state.change_board(&home.owner, (made.id, 1, text("Shop", "b")), entry()).await.unwrap();
    home.state.change_board(&home.owner, (made.id, 1, text("Shop", "c")), entry()).await.unwrap();
    assert_eq!(rows().await.len(), 2);
    home.state.remove_board(&home.owner, (made.id, None), entry()).await.unwrap();
    assert_eq!(rows().await[0], ("board Shop".to_owned(), made.id.to_string()));
    assert!(home.state.verify_audit(&home.owner).await.unwrap().broken.is_none());
}
