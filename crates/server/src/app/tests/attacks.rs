//! Attacks over real HTTP, each with the answer it has to get.

use ph_access::{AgentClaims, Entry, Opaque, OpaqueKind, Role, TenantCtx};
use ph_model::{AgentId, ClusterId};
use ph_store::state::{NewLink, NewMember};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::*;

impl Stack {
    /// Status line and body of a request whose bytes no client library tidied up.
    async fn raw(&self, path: &str, headers: &str) -> (u16, String) {
        let mut stream = tokio::net::TcpStream::connect(self.running.addrs[0]).await.unwrap();
        let host = self.running.addrs[0];
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// A further member, signed in.
    pub(crate) async fn member(&self, email: &str, role: Role) -> (String, TenantCtx) {
        let org = self.running.app.state.organisation_ids().await.unwrap()[0];
        let ctx = TenantCtx::system(org, "test");
        let token = Opaque::generate(OpaqueKind::SignInLink).unwrap();
        let link = NewLink { token: token.hash(), created_ms: self.clock.now_ms() };
        let new = NewMember { email: email.into(), name: "Ann".into(), role, link };
        let entry = Entry::change("member.add", email);
        self.running.app.state.add_member(&ctx, new, entry, self.clock.now_ms()).await.unwrap();
        let answer = self.post("/api/v1/auth/link", None, json!({"token": token.text().expose()})).await;
        let cookie = cookie_of(&answer);
        let session = Opaque::parse(OpaqueKind::Session, cookie.split_once('=').unwrap().1).unwrap();
        let stored = self.running.app.state.session_by_token(session.hash()).await.unwrap().unwrap();
        let ctx = stored.admit(&session, ph_access::Origin::default(), self.clock.now_ms()).unwrap();
        (cookie, ctx)
    }
}

/// Numbers at the ends of what a number can be are answered like others.
#[tokio::test]
async fn times_without_sense_are_answered() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    for n in [i64::MIN, i64::MIN + 1, i64::MAX] {
        for path in [
            format!("/api/v1/traces?to={n}"),
            format!("/api/v1/traces?from={n}"),
            format!("/api/v1/services?to={n}"),
            format!("/api/v1/dependencies?from={n}"),
            format!("/api/v1/events?to={n}"),
            format!("/api/v1/events?from={n}"),
            format!("/jaeger/api/dependencies?endTs={n}"),
            format!("/jaeger/api/dependencies?endTs={n}&lookback={}", i64::MAX),
            format!("/jaeger/api/traces?service=x&end={n}"),
            format!("/jaeger/api/traces?service=x&start={n}"),
            format!("/prometheus/api/v1/query_range?query=up&step=1&start={n}&end={n}"),
            format!("/prometheus/api/v1/query?query=up&time={n}"),
            format!("/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D&start={n}&end={n}"),
            format!("/loki/api/v1/query_range?query=count_over_time(%7Ba%3D%22b%22%7D%5B1m%5D)&start={n}"),
            format!("/loki/api/v1/query_range?query=count_over_time(%7Ba%3D%22b%22%7D%5B1m%5D)&end={n}"),
        ] {
            let status = stack.get(&path, Some(&cookie)).await.status().as_u16();
            assert!(status < 500, "{path}: {status}");
        }
    }
    stack.stop().await;
}

/// A problem's body without the id that differs every time.
async fn told(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let mut body: Value = answer.json().await.unwrap();
    assert!(!body["request_id"].as_str().unwrap().is_empty());
    body.as_object_mut().unwrap().remove("request_id");
    (status, body)
}

#[tokio::test]
async fn paths_that_can_be_read_in_two_ways_are_refused() {
    let stack = Stack::start().await;
    let cookie = format!("Cookie: {}\r\n", stack.sign_in().await);
    for path in [
        "//api/v1/me",
        "/api//v1/me",
        "/api/v1/%2e%2e/v1/me",
        "/api/v1/../v1/me",
        "/api%2fv1/me",
        "/api/v1/me;x",
        "/api/v1/me%00",
        "/api/v1/%252e/me",
        "/api/v1/./me",
        "/api/v1/me%5c",
        "/%ff",
    ] {
        let (status, body) = stack.raw(path, &cookie).await;
        assert_eq!(status, 400, "{path}");
        assert!(body.contains("\"kind\":\"invalid\""), "{path}: {body}");
    }
    for path in ["/API/v1/me", "/api/v1/me/", "/api/v1/me."] {
        let (_, body) = stack.raw(path, &cookie).await;
        assert!(!body.contains("owner@localhost"), "{path} must not be the same as the plain path");
    }
    assert_eq!(stack.raw("/api/v1/me", &cookie).await.0, 200);
    stack.stop().await;
}

#[tokio::test]
async fn forged_identities_have_no_effect() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let me = async |name: &str, value: &str| {
        let ask = client().get(stack.url("/api/v1/me")).header("cookie", &cookie).header(name, value);
        ask.send().await.unwrap()
    };
    let plain: Value = stack.get("/api/v1/me", Some(&cookie)).await.json().await.unwrap();
    let other = Uuid::from_u128(9).to_string();
    for name in [
        "x-org-id",
        "x-organisation",
        "x-tenant",
        "x-remote-user",
        "pilothouse-ctx",
        "impersonate-user",
        "x-forwarded-for",
    ] {
        let answer: Value = me(name, &other).await.json().await.unwrap();
        assert_eq!((&answer["org"], &answer["email"]), (&plain["org"], &plain["email"]), "{name}");
    }
    let own = plain["org"]["id"].as_str().unwrap();
    assert_eq!(me("x-scope-orgid", own).await.status(), StatusCode::OK);
    assert_eq!(me("x-scope-orgid", &other).await.status(), StatusCode::FORBIDDEN);
    let without = client()
        .get(stack.url("/api/v1/me"))
        .header("x-remote-user", "owner@localhost")
        .send()
        .await
        .unwrap();
    assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
    stack.stop().await;
}

#[tokio::test]
async fn an_organisation_in_the_body_is_an_unknown_field() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let body = json!({"name": "ci", "role": "viewer", "org_id": Uuid::from_u128(9)});
    let (status, problem) = told(stack.post("/api/v1/keys", Some(&cookie), body).await).await;
    assert_eq!(status, 422);
    assert!(problem["detail"].as_str().unwrap().contains("org_id"), "{problem}");
    assert_eq!(
        stack.get("/api/v1/audit?org_id=9", Some(&cookie)).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let keys: Value = stack.get("/api/v1/keys", Some(&cookie)).await.json().await.unwrap();
    assert_eq!(keys, json!([]));
    stack.stop().await;
}

#[tokio::test]
async fn one_kind_of_credential_is_none_of_another() {
    let stack = Stack::start().await;
    let app = &stack.running.app;
    let org = app.state.organisation_ids().await.unwrap()[0];
    let who = (org, ClusterId(Uuid::from_u128(1)), AgentId(Uuid::from_u128(2)));
    let claims = AgentClaims::new(app.auth.issuer(), who, stack.clock.now_ms(), 60_000);
    let agent = claims.sign(app.auth.keyring().signing()).unwrap();
    let session = stack.sign_in().await.split_once('=').unwrap().1.to_owned();
    let link = Opaque::generate(OpaqueKind::SignInLink).unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.";
    let key = "phk_live_000000000000_00000000000000000000000000000000000000";
    let mut bodies = Vec::new();
    for text in [agent.as_str(), link.text().expose(), none, key, "", "phs_x", &"x".repeat(10_000)] {
        let answer = client().get(stack.url("/api/v1/me")).bearer_auth(text).send().await.unwrap();
        bodies.push(told(answer).await);
    }
    bodies.push(told(stack.get("/api/v1/me", None).await).await);
    assert!(bodies.iter().all(|b| b.0 == 401 && *b == bodies[0]), "{bodies:?}");
    let as_query = client().get(stack.url(&format!("/api/v1/me?token={session}"))).send().await.unwrap();
    assert_eq!(as_query.status(), StatusCode::UNAUTHORIZED);
    let bearer = client().get(stack.url("/api/v1/me")).bearer_auth(&session).send().await.unwrap();
    assert_eq!(bearer.status(), StatusCode::OK);
    // The other way round: neither a session nor the token of an agent that is not enrolled is an agent's.
    let origin = ph_access::Origin::default();
    assert!(app.auth.agent(&session, origin.clone()).await.is_err());
    assert!(app.auth.agent(&agent, origin).await.is_err());
    stack.stop().await;
}

#[tokio::test]
async fn unknown_and_foreign_ids_answer_alike() {
    let stack = Stack::start().await;
    let owner = stack.sign_in().await;
    let (ann, _) = stack.member("ann@example.org", Role::Admin).await;
    let mine: Value = stack.get("/api/v1/sessions", Some(&owner)).await.json().await.unwrap();
    let foreign = mine[0]["id"].as_str().unwrap();
    let end = async |id: &str| {
        told(stack.send(http::Method::DELETE, &format!("/api/v1/sessions/{id}"), Some(&ann), None).await)
            .await
    };
    let unknown = end(&Uuid::from_u128(1).to_string()).await;
    assert_eq!(unknown.0, 404);
    assert_eq!(end(foreign).await, unknown);
    assert_eq!(end("not-an-id").await, unknown);
    let revoke = stack
        .send(http::Method::DELETE, &format!("/api/v1/keys/{}", Uuid::from_u128(1)), Some(&ann), None)
        .await;
    assert_eq!(told(revoke).await, unknown);
    assert_eq!(stack.get("/api/v1/me", Some(&owner)).await.status(), StatusCode::OK);
    stack.stop().await;
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let stack = Stack::start().await;
    let (viewer, _) = stack.member("ann@example.org", Role::Viewer).await;
    let (admin, _) = stack.member("bob@example.org", Role::Admin).await;
    let (status, body) = told(stack.get("/api/v1/audit", Some(&viewer)).await).await;
    assert_eq!(status, 403);
    assert!(body["detail"].as_str().unwrap().contains("audit.read"), "{body}");
    for path in ["/api/v1/keys", "/api/v1/members", "/api/v1/audit/verify"] {
        assert_eq!(stack.get(path, Some(&viewer)).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let denied = stack.post("/api/v1/keys", Some(&viewer), json!({"name": "ci", "role": "viewer"})).await;
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    let rows: Value = stack.get("/api/v1/audit?decision=deny", Some(&admin)).await.json().await.unwrap();
    assert_eq!(rows["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&rows["items"][0]["actor"], &rows["items"][0]["action"]),
        (&json!("user:ann@example.org"), &json!("key.create"))
    );
    let owner_key = json!({"name": "ci", "role": "owner"});
    assert_eq!(stack.post("/api/v1/keys", Some(&admin), owner_key).await.status(), StatusCode::FORBIDDEN);
    let owner = json!({"email": "eve@example.org", "role": "owner"});
    assert_eq!(stack.post("/api/v1/members", Some(&admin), owner).await.status(), StatusCode::FORBIDDEN);
    stack.stop().await;
}

#[tokio::test]
async fn what_hangs_on_a_session_ends_with_it() {
    let stack = Stack::start().await;
    let owner = stack.sign_in().await;
    let (ann, ctx) = stack.member("ann@example.org", Role::Viewer).await;
    let open = stack.running.app.auth.liveness(&ctx);
    assert!(!open.is_cancelled());
    let gone = stack
        .send(http::Method::DELETE, &format!("/api/v1/members/{}", ctx.user().unwrap()), Some(&owner), None)
        .await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    open.cancelled().await;
    assert_eq!(stack.get("/api/v1/me", Some(&ann)).await.status(), StatusCode::UNAUTHORIZED);
    let (bob, ctx) = stack.member("bob@example.org", Role::Viewer).await;
    let open = stack.running.app.auth.liveness(&ctx);
    assert_eq!(
        stack.post("/api/v1/auth/sign-out", Some(&bob), json!({})).await.status(),
        StatusCode::NO_CONTENT
    );
    assert!(open.is_cancelled());
    // Ended behind the server's back, as another process does: the watcher sees it.
    let (_, ctx) = stack.member("eve@example.org", Role::Viewer).await;
    let open = stack.running.app.auth.liveness(&ctx);
    let state = &stack.running.app.state;
    state
        .end_session(&ctx, ctx.session().unwrap(), Entry::change("session.end", "eve"), stack.clock.now_ms())
        .await
        .unwrap();
    open.cancelled().await;
    stack.stop().await;
}

#[tokio::test]
async fn a_revoked_key_is_dead_at_once() {
    let stack = Stack::start().await;
    let owner = stack.sign_in().await;
    let made: Value = stack
        .post("/api/v1/keys", Some(&owner), json!({"name": "ci", "role": "viewer"}))
        .await
        .json()
        .await
        .unwrap();
    let secret = made["secret"].as_str().unwrap();
    let with_key =
        async || client().get(stack.url("/api/v1/me")).header("x-api-key", secret).send().await.unwrap();
    let me: Value = with_key().await.json().await.unwrap();
    assert_eq!((me["role"].as_str(), me["user_id"].as_str()), (Some("viewer"), None));
    let id = made["key"]["id"].as_str().unwrap();
    stack.send(http::Method::DELETE, &format!("/api/v1/keys/{id}"), Some(&owner), None).await;
    assert_eq!(with_key().await.status(), StatusCode::UNAUTHORIZED);
    let short = json!({"name": "ci", "role": "viewer", "expires_days": 1});
    let made: Value = stack.post("/api/v1/keys", Some(&owner), short).await.json().await.unwrap();
    let secret = made["secret"].as_str().unwrap();
    let bearer =
        async || client().get(stack.url("/api/v1/me")).bearer_auth(secret).send().await.unwrap().status();
    assert_eq!(bearer().await, StatusCode::OK);
    stack.clock.advance_ms(86_400_000);
    assert_eq!(bearer().await, StatusCode::UNAUTHORIZED);
    stack.stop().await;
}

#[tokio::test]
async fn other_sites_change_nothing() {
    let stack = Stack::start().await;
    let cookie = stack.sign_in().await;
    let forged = async |path: &str, headers: &[(&str, &str)]| {
        let mut ask = client()
            .post(stack.url(path))
            .header("cookie", &cookie)
            .json(&json!({"name": "ci", "role": "viewer"}));
        for (name, value) in headers {
            ask = ask.header(*name, *value);
        }
        ask.send().await.unwrap().status()
    };
    for path in ["/api/v1/keys", "/api/v1/auth/sign-out", "/api/v1/auth/link", "/api/v1/auth/sign-in"] {
        assert_eq!(forged(path, &[("sec-fetch-site", "cross-site")]).await, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(
            forged(path, &[("origin", "https://evil.example")]).await,
            StatusCode::FORBIDDEN,
            "{path}"
        );
        assert_eq!(forged(path, &[("origin", "null")]).await, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(forged(path, &[]).await, StatusCode::FORBIDDEN, "{path}");
    }
    // An image or a typed address is a GET, and no GET signs out.
    assert_eq!(
        stack.get("/api/v1/auth/sign-out", Some(&cookie)).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    let keys: Value = stack.get("/api/v1/keys", Some(&cookie)).await.json().await.unwrap();
    assert_eq!(keys, json!([]));
    let socket = format!("Cookie: {cookie}\r\nUpgrade: websocket\r\nOrigin: https://evil.example\r\n");
    assert_eq!(stack.raw("/api/v1/me", &socket).await.0, 403);
    stack.stop().await;
}
