//! Every repository, on a real file; and what must never happen to the audit chain.

mod agents;
mod boards;
mod chain;
mod credentials;
mod people;

use ph_access::{Entry, Opaque, OpaqueKind, Origin, Role, StoredLink, TenantCtx};
use ph_model::OrgId;
use tempfile::TempDir;

use super::*;

/// A store in a directory of its own with one organisation, and its owner signed in.
pub(super) struct Home {
    pub state: State,
    pub owner: TenantCtx,
    pub dir: TempDir,
}

pub(super) const NOW: i64 = 1_800_000_000_000;

impl Home {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path(), NOW).await.unwrap();
        let token = Opaque::generate(OpaqueKind::SignInLink).unwrap();
        state.bootstrap(first("main", &token), NOW).await.unwrap();
        let owner = sign_in(&state, &token).await;
        Self { state, owner, dir }
    }

    /// A second organisation beside the first, with its owner signed in: the same names, nothing shared.
    pub async fn twin(&self) -> TenantCtx {
        let org = OrgId(uuid::Uuid::now_v7());
        let token = Opaque::generate(OpaqueKind::SignInLink).unwrap();
        let mut tx = self.state.begin().await.unwrap();
        sqlx::query("INSERT INTO organisation (id, slug, name, created_ms) VALUES ($1, 'twin', 'twin', $2)")
            .bind(org.as_bytes().as_slice())
            .bind(NOW)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let system = TenantCtx::system(org, "test");
        let new = NewMember {
            email: "twin@example.org".into(),
            name: "Twin".into(),
            role: Role::Owner,
            link: NewLink { token: token.hash(), created_ms: NOW },
        };
        self.state.add_member(&system, new, Entry::change("member.add", "twin"), NOW).await.unwrap();
        sign_in(&self.state, &token).await
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("state.db")
    }

    /// Another connection to the same file, as an intruder with the file in hand would have.
    pub async fn intruder(&self) -> SqlitePool {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
        SqlitePool::connect_with(options).await.unwrap()
    }
}

pub(super) fn first(slug: &str, token: &Opaque) -> Bootstrap {
    Bootstrap {
        slug: slug.into(),
        name: "Main".into(),
        owner_email: "Owner@Example.org".into(),
        link: NewLink { token: token.hash(), created_ms: NOW },
    }
}

pub(super) async fn sign_in(state: &State, link: &Opaque) -> TenantCtx {
    let stored: StoredLink = state.link_by_token(link.hash()).await.unwrap().unwrap();
    let ctx = stored.admit(link, Origin::default(), NOW).unwrap();
    let token = Opaque::generate(OpaqueKind::Session).unwrap();
    let new = NewSession { token: token.hash(), spend: Spend::Link(stored.id) };
    state.sign_in(&ctx, new, Entry::change("sign_in.link", "user"), NOW).await.unwrap();
    let session = state.session_by_token(token.hash()).await.unwrap().unwrap();
    session.admit(&token, Origin::default(), NOW).unwrap()
}

#[tokio::test]
async fn the_second_start_finds_what_the_first_made() {
    let home = Home::new().await;
    let other = Opaque::generate(OpaqueKind::SignInLink).unwrap();
    let again = home.state.bootstrap(first("other", &other), NOW + 1).await.unwrap();
    assert!(!again.created);
    assert_eq!(again.org, home.owner.org());
    assert!(home.state.link_by_token(other.hash()).await.unwrap().is_none());
    let id = home.state.installation_id(NOW).await.unwrap();
    home.state.close().await;
    let state = State::open(home.dir.path(), NOW + 2).await.unwrap();
    assert_eq!(state.installation_id(NOW + 2).await.unwrap(), id);
    assert_eq!(state.organisation(&home.owner).await.unwrap().slug, "main");
    state.probe().await.unwrap();
}

#[tokio::test]
async fn a_newer_or_changed_schema_is_refused() {
    let home = Home::new().await;
    home.state.close().await;
    let db = home.intruder().await;
    sqlx::raw_sql("UPDATE schema_migration SET checksum = checksum + 1").execute(&db).await.unwrap();
    let changed = State::open(home.dir.path(), NOW).await.unwrap_err();
    assert!(changed.text.contains("is not the one of this version"), "{changed}");
    sqlx::raw_sql("UPDATE schema_migration SET checksum = checksum - 1; INSERT INTO schema_migration VALUES (99, 'later', 0, 0)")
        .execute(&db)
        .await
        .unwrap();
    let newer = State::open(home.dir.path(), NOW).await.unwrap_err();
    assert!(newer.text.contains("state.db has schema 99"), "{newer}");
}

#[tokio::test]
async fn the_file_is_private() {
    use std::os::unix::fs::MetadataExt;
    let home = Home::new().await;
    assert_eq!(std::fs::metadata(home.file()).unwrap().mode() & 0o777, 0o600);
}
