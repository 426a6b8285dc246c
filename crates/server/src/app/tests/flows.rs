//! Signing in by password and terminal, guessing, ageing, and what the audit chain says of it.

use ph_access::Role;

use super::*;

const PASSWORD: &str = "nine whales in a boat";

async fn set_password(stack: &Stack, cookie: &str, body: Value) -> reqwest::Response {
    stack.send(http::Method::PUT, "/api/v1/me/password", Some(cookie), Some(body)).await
}

async fn by_password(stack: &Stack, email: &str, password: &str) -> reqwest::Response {
    stack.post("/api/v1/auth/sign-in", None, json!({"email": email, "password": password})).await
}

#[tokio::test]
async fn a_password_is_set_used_and_changed() {
    let stack = Stack::start().await;
    let first = stack.sign_in().await;
    for (bad, why) in [("short", "shorter"), ("kubernetes123", "commonest")] {
        let answer = set_password(&stack, &first, json!({"new": bad})).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text().await.unwrap().contains(why), "{bad}");
    }
    assert_eq!(set_password(&stack, &first, json!({"new": PASSWORD})).await.status(), StatusCode::NO_CONTENT);
    let answer = by_password(&stack, "OWNER@localhost", PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let second = cookie_of(&answer);
    let wrong = set_password(&stack, &second, json!({"new": "ten whales in a boat"})).await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    let change = json!({"current": PASSWORD, "new": "ten whales in a boat"});
    assert_eq!(set_password(&stack, &second, change).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(stack.get("/api/v1/me", Some(&first)).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(stack.get("/api/v1/me", Some(&second)).await.status(), StatusCode::OK);
    assert_eq!(by_password(&stack, "owner@localhost", PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    let methods: Value = stack.get("/api/v1/auth/methods", None).await.json().await.unwrap();
    assert_eq!(methods, json!({"password": true, "first_start": false}));
    stack.stop().await;
}

#[tokio::test]
async fn guessing_is_slowed_down_and_tells_nothing() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    set_password(&stack, &cookie, json!({"new": PASSWORD})).await;
    let body = async |answer: reqwest::Response| {
        let mut body: Value = answer.json().await.unwrap();
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    let known = body(by_password(&stack, "owner@localhost", "wrong wrong wrong").await).await;
    let unknown = body(by_password(&stack, "nobody@localhost", "wrong wrong wrong").await).await;
    assert_eq!(known, unknown);
    for _ in 0..4 {
        by_password(&stack, "owner@localhost", "wrong wrong wrong").await;
    }
    let slowed = by_password(&stack, "owner@localhost", PASSWORD).await;
    assert_eq!(slowed.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: i64 = slowed.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 1);
    stack.clock.advance_ms(wait * 1000);
    assert_eq!(by_password(&stack, "owner@localhost", PASSWORD).await.status(), StatusCode::OK);
    stack.stop().await;
}

#[tokio::test]
async fn sessions_age() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let hour = 3_600_000;
    for _ in 0..15 {
        stack.clock.advance_ms(11 * hour);
        assert_eq!(stack.get("/api/v1/me", Some(&cookie)).await.status(), StatusCode::OK, "used every 11 h");
    }
    stack.clock.advance_ms(4 * hour);
    assert_eq!(
        stack.get("/api/v1/me", Some(&cookie)).await.status(),
        StatusCode::UNAUTHORIZED,
        "after 7 days"
    );
    let (ann, _) = stack.member("ann@example.org", Role::Viewer).await;
    stack.clock.advance_ms(12 * hour);
    assert_eq!(stack.get("/api/v1/me", Some(&ann)).await.status(), StatusCode::UNAUTHORIZED, "12 h idle");
    stack.stop().await;
}

#[tokio::test]
async fn a_terminal_is_signed_in_by_its_code() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let started: Value = stack.post("/api/v1/auth/device", None, json!({})).await.json().await.unwrap();
    let poll = async || {
        stack.post("/api/v1/auth/device/poll", None, json!({"device_secret": started["device_secret"]})).await
    };
    assert_eq!(poll().await.status(), StatusCode::ACCEPTED);
    let wrong = stack
        .post("/api/v1/auth/device/confirm", Some(&cookie), json!({"code": "AAAA-AAAA", "approve": true}))
        .await;
    assert_eq!(wrong.status(), StatusCode::NOT_FOUND);
    let code = started["code"].as_str().unwrap().to_lowercase();
    let confirm = stack
        .post("/api/v1/auth/device/confirm", Some(&cookie), json!({"code": code, "approve": true}))
        .await;
    assert_eq!(confirm.status(), StatusCode::NO_CONTENT);
    let granted: Value = poll().await.json().await.unwrap();
    assert_eq!(poll().await.status(), StatusCode::GONE);
    let me = client()
        .get(stack.url("/api/v1/me"))
        .bearer_auth(granted["token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let me: Value = me.json().await.unwrap();
    assert_eq!(
        (me["email"].as_str(), me["session"]["client"].as_str()),
        (Some("owner@localhost"), Some("terminal"))
    );
    let started: Value = stack.post("/api/v1/auth/device", None, json!({})).await.json().await.unwrap();
    let deny = json!({"code": started["code"], "approve": false});
    stack.post("/api/v1/auth/device/confirm", Some(&cookie), deny).await;
    let denied = stack
        .post("/api/v1/auth/device/poll", None, json!({"device_secret": started["device_secret"]}))
        .await;
    assert_eq!(denied.status(), StatusCode::GONE);
    stack.stop().await;
}

#[tokio::test]
async fn a_member_is_added_with_a_link() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let body = json!({"email": "Ann@Example.org", "role": "operator"});
    let made: Value = stack.post("/api/v1/members", Some(&cookie), body).await.json().await.unwrap();
    let link = made["sign_in_link"].as_str().unwrap();
    assert!(link.starts_with(&stack.url("/sign-in#token=phl_")), "{link}");
    let token = link.split_once("#token=").unwrap().1;
    let me: Value =
        stack.post("/api/v1/auth/link", None, json!({"token": token})).await.json().await.unwrap();
    assert_eq!((me["email"].as_str(), me["role"].as_str()), (Some("ann@example.org"), Some("operator")));
    let members: Value = stack.get("/api/v1/members", Some(&cookie)).await.json().await.unwrap();
    assert_eq!(members.as_array().unwrap().len(), 2);
    let orgs: Value = stack.get("/api/v1/orgs", Some(&cookie)).await.json().await.unwrap();
    assert_eq!(orgs[0]["slug"], "main");
    stack.stop().await;
}

#[tokio::test]
async fn a_link_is_made_beside_the_running_server() {
    let stack = Stack::start().await;
    let data = stack.dir.path().join("data");
    let link = crate::sign_in_link(&data, "owner@localhost", &stack.clock).await.unwrap();
    let token = link.expose().split_once("#token=").unwrap().1.to_owned();
    assert!(link.expose().starts_with(&stack.base));
    assert_eq!(stack.post("/api/v1/auth/link", None, json!({"token": token})).await.status(), StatusCode::OK);
    let unknown = crate::sign_in_link(&data, "ann@example.org", &stack.clock).await.unwrap_err().to_string();
    assert_eq!(unknown, "no user ann@example.org; users are: owner@localhost");
    let nowhere = crate::sign_in_link(&stack.dir.path().join("none"), "owner@localhost", &stack.clock)
        .await
        .unwrap_err();
    assert!(nowhere.to_string().contains("holds no server's data"), "{nowhere}");
    stack.stop().await;
}

#[tokio::test]
async fn every_act_leaves_its_row_and_a_broken_chain_is_named() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    stack.post("/api/v1/keys", Some(&cookie), json!({"name": "ci", "role": "viewer"})).await;
    set_password(&stack, &cookie, json!({"new": PASSWORD})).await;
    by_password(&stack, "owner@localhost", "wrong wrong wrong").await;
    let page: Value = stack.get("/api/v1/audit?limit=1000", Some(&cookie)).await.json().await.unwrap();
    let rows = page["items"].as_array().unwrap();
    let acts: Vec<_> = rows
        .iter()
        .rev()
        .map(|r| {
            format!(
                "{} {} {}",
                r["actor"].as_str().unwrap(),
                r["action"].as_str().unwrap(),
                r["decision"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        acts,
        [
            "system:first-start org.create allow",
            "system:first-start sign_in_link.create allow",
            "user:owner@localhost sign_in.link allow",
            "user:owner@localhost key.create allow",
            "user:owner@localhost password.set allow",
            "system:sign-in sign_in.password deny",
            "user:owner@localhost audit.read allow",
        ]
    );
    assert_eq!(rows[3]["ip"], "127.0.0.1");
    let text = page.to_string();
    assert!(!text.contains(PASSWORD) && !text.contains("phs_") && !text.contains("phl_"), "{text}");
    let verify =
        async || -> Value { stack.get("/api/v1/audit/verify", Some(&cookie)).await.json().await.unwrap() };
    let good = verify().await;
    assert_eq!((good["intact"].as_bool(), good["rows"].as_u64()), (Some(true), Some(7)));
    // The file is edited by hand while the server runs.
    let file = stack.dir.path().join("data/state.db");
    let edit = "DROP TRIGGER audit_no_update; UPDATE audit SET actor = 'user:nobody' WHERE seq = 4";
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let db = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(edit).execute(&db).await.unwrap();
    let bad = verify().await;
    assert_eq!((bad["intact"].as_bool(), bad["broken_at"].as_u64()), (Some(false), Some(4)));
    stack.stop().await;
}

#[tokio::test]
async fn a_page_that_follows_the_audit_writes_one_row_in_ten_minutes() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let reads = async |query: &str| {
        let path = format!("/api/v1/audit?limit=1000{query}");
        let page: Value = stack.get(&path, Some(&cookie)).await.json().await.unwrap();
        page["items"].as_array().unwrap().iter().filter(|r| r["action"] == "audit.read").count()
    };
    for poll in 0..5 {
        assert_eq!(reads(&format!("&from={poll}")).await, 1, "a window that moves on");
    }
    stack.clock.advance_ms(9 * 60_000);
    assert_eq!(reads("&from=5").await, 1);
    assert_eq!(reads("&from=5&action=audit").await, 2, "another filter");
    assert_eq!(reads("").await, 3, "from the beginning");
    stack.clock.advance_ms(10 * 60_000);
    assert_eq!(reads("").await, 4, "ten minutes later");
    assert_eq!(reads("").await, 4);
    set_password(&stack, &cookie, json!({"new": PASSWORD})).await;
    let elsewhere = cookie_of(&by_password(&stack, "owner@localhost", PASSWORD).await);
    let page: Value =
        stack.get("/api/v1/audit?action=audit.read", Some(&elsewhere)).await.json().await.unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 5, "another session");
    stack.stop().await;
}

#[tokio::test]
async fn a_restart_prints_a_link_until_somebody_can_sign_in() {
    let stack = Stack::start().await;
    let config = stack.running.app.config.clone();
    let Stack { running, clock, dir: _dir, .. } = stack;
    assert!(running.stop(Duration::from_secs(20)).await);
    let second = Server::start(config.clone(), clock.clone()).await.unwrap();
    let link = second.sign_in_link.as_ref().unwrap().expose().clone();
    let base = second.public_url.as_str().trim_end_matches('/').to_owned();
    let token = link.split_once("#token=").unwrap().1;
    let ask = client().post(format!("{base}/api/v1/auth/link")).json(&json!({"token": token}));
    assert_eq!(ask.send().await.unwrap().status(), StatusCode::OK);
    assert!(second.stop(Duration::from_secs(20)).await);
    let third = Server::start(config, clock).await.unwrap();
    assert!(third.sign_in_link.is_none());
    assert!(third.stop(Duration::from_secs(20)).await);
}

#[tokio::test]
async fn a_restarted_server_knows_its_clusters_before_it_answers_anybody() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let join = json!({"name": "harbor", "kind": "kubernetes", "tier": "observe"});
    assert_eq!(stack.post("/api/v1/clusters", Some(&cookie), join).await.status(), StatusCode::CREATED);
    let config = stack.running.app.config.clone();
    let org = stack.running.app.state.organisation_ids().await.unwrap()[0];
    let Stack { running, clock, dir: _dir, .. } = stack;
    assert!(running.stop(Duration::from_secs(20)).await);
    let second = Server::start(config, clock).await.unwrap();
    // Nothing is waited for in between: what is loaded behind the open doors is not there yet.
    let ctx = ph_access::TenantCtx::system(org, "test");
    let known: Vec<String> = second.app.inventories.of(&ctx).iter().map(|r| r.name.clone()).collect();
    assert_eq!(known, ["harbor"]);
    let base = second.public_url.as_str().trim_end_matches('/').to_owned();
    let ask =
        |name: &str| client().get(format!("{base}/api/v1/problems?cluster={name}")).header("cookie", &cookie);
    assert_eq!(ask("harbor").send().await.unwrap().status(), StatusCode::OK);
    let other: Value = ask("pier").send().await.unwrap().json().await.unwrap();
    assert!(other["detail"].as_str().unwrap().contains("`pier`"), "{other}");
    assert!(second.stop(Duration::from_secs(20)).await);
}
