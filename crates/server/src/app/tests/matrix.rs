//! Every route of the description against every sort of wrong credential, and every role against every permission.
//!
//! A new route is covered by standing in the description.

use ph_access::{AgentClaims, Permission, Role};
use ph_model::{AgentId, ClusterId};
use uuid::Uuid;

use super::*;

/// Routes that need no person's credential, with why.
const OPEN: [(&str, &str); 8] = [
    ("/api/v1/auth/methods", "what the sign-in page offers"),
    ("/api/v1/auth/link", "brings its own one-time token"),
    ("/api/v1/auth/sign-in", "brings address and password"),
    ("/api/v1/auth/device", "starts a terminal's sign-in"),
    ("/api/v1/auth/device/poll", "brings the terminal's secret"),
    ("/api/v1/agents/enrol", "brings a join token"),
    ("/api/v1/agents/token", "brings a proof of the agent's key"),
    ("/link", "takes an agent's proof after the upgrade"),
];

struct Route {
    method: http::Method,
    path: String,
    /// Absent: any signed-in caller.
    permission: Option<String>,
}

/// All routes of the description that are not open, with parameters filled in.
fn guarded() -> Vec<Route> {
    let document: Value = serde_json::from_str(&openapi()).unwrap();
    let mut routes = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        if OPEN.iter().any(|(open, _)| open == template) {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse() else { continue };
            let path = template
                .split('/')
                .map(|s| if s.starts_with('{') { Uuid::from_u128(77).to_string() } else { s.to_owned() })
                .collect::<Vec<_>>()
                .join("/");
            let permission = operation["x-permission"].as_str();
            let permission =
                permission.unwrap_or_else(|| panic!("{method} {template} names no x-permission"));
            assert_ne!(
                permission, "public",
                "{method} {template} asks for no credential and is not in the list"
            );
            let permission = (permission != "session").then(|| permission.to_owned());
            routes.push(Route { method, path, permission });
        }
    }
    assert!(routes.len() > 20, "the description has only {} guarded routes", routes.len());
    routes
}

#[tokio::test]
async fn every_route_refuses_every_wrong_credential_alike() {
    let stack = Stack::start().await;
    let app = &stack.running.app;
    let owner = stack.sign_in().await;
    let (gone, _) = stack.member("ann@example.org", Role::Owner).await;
    stack.post("/api/v1/auth/sign-out", Some(&gone), json!({})).await;
    let ended = gone.split_once('=').unwrap().1.to_owned();
    let made: Value = stack
        .post("/api/v1/keys", Some(&owner), json!({"name": "ci", "role": "owner"}))
        .await
        .json()
        .await
        .unwrap();
    let revoked = made["secret"].as_str().unwrap().to_owned();
    let id = made["key"]["id"].as_str().unwrap();
    stack.send(http::Method::DELETE, &format!("/api/v1/keys/{id}"), Some(&owner), None).await;
    let org = app.state.organisation_ids().await.unwrap()[0];
    let who = (org, ClusterId(Uuid::from_u128(1)), AgentId(Uuid::from_u128(2)));
    let agent = AgentClaims::new(app.auth.issuer(), who, stack.clock.now_ms(), 60_000);
    let agent = agent.sign(app.auth.keyring().signing()).unwrap();
    let wrong = [
        ("none", None),
        ("ended session", Some(ended)),
        ("revoked key", Some(revoked)),
        ("agent token", Some(agent)),
    ];
    let mut faults = Vec::new();
    for route in guarded() {
        for (name, credential) in &wrong {
            let mut ask = client().request(route.method.clone(), stack.url(&route.path)).json(&json!({}));
            if let Some(text) = credential {
                ask = ask.bearer_auth(text);
            }
            let status = ask.send().await.unwrap().status();
            if status != StatusCode::UNAUTHORIZED {
                faults.push(format!("{} {} with {name}: {status}", route.method, route.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    stack.stop().await;
}

#[tokio::test]
async fn every_role_is_refused_what_it_does_not_hold() {
    let stack = Stack::start().await;
    let mut faults = Vec::new();
    for role in [Role::Operator, Role::Editor, Role::Viewer, Role::Auditor] {
        let (cookie, _) = stack.member(&format!("{role}@example.org"), role).await;
        for route in guarded() {
            let Some(word) = &route.permission else { continue };
            let Some(permission) = Permission::ALL.iter().find(|p| p.as_str() == word) else {
                faults.push(format!("{} {} names no permission: {word}", route.method, route.path));
                continue;
            };
            // A WebSocket asked for without an upgrade is no request yet; its right is asked after the upgrade is seen.
            let socket = route.path.starts_with("/api/v1/logs/streams/");
            if socket || role.permissions().holds(*permission) {
                continue;
            }
            let answer = stack.send(route.method.clone(), &route.path, Some(&cookie), body_for(&route)).await;
            // Where the body names the target, an unknown one may be answered first.
            let hidden = route.path == "/api/v1/debug/exec" && answer.status() == StatusCode::NOT_FOUND;
            if answer.status() != StatusCode::FORBIDDEN && !hidden {
                faults.push(format!(
                    "{role}: {} {} without {word}: {}",
                    route.method,
                    route.path,
                    answer.status()
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    stack.stop().await;
}

/// A body that the route takes, so that the refusal is for the missing right and nothing else.
fn body_for(route: &Route) -> Option<Value> {
    match (&route.method, route.path.as_str()) {
        (&http::Method::POST, "/api/v1/keys") => Some(json!({"name": "ci", "role": "viewer"})),
        (&http::Method::POST, "/api/v1/members") => {
            Some(json!({"email": "eve@example.org", "role": "viewer"}))
        }
        (&http::Method::POST, "/api/v1/traces/search") => Some(json!({})),
        (&http::Method::POST, "/api/v1/logs/count") => Some(json!({"query": {"sources": []}})),
        (&http::Method::POST, "/api/v1/logs/complete") => Some(json!({"text": "", "at": 0})),
        (&http::Method::POST, "/api/v1/logs/views") => Some(json!({"name": "x", "query": {"sources": []}})),
        (&http::Method::POST, "/api/v1/logs/downloads") => {
            Some(json!({"query": {"sources": []}, "format": "text", "range": "all"}))
        }
        (&http::Method::POST, path) if path.starts_with("/api/v1/logs/") => Some(json!({"sources": []})),
        (&http::Method::POST, "/api/v1/debug/exec") => {
            Some(json!({"cluster": "eu-1", "namespace": "shop", "pod": "web-1", "argv": ["id"]}))
        }
        (&http::Method::POST, "/api/v1/telemetry/deletions") => Some(json!({"signal": "logs", "filter": ""})),
        (&http::Method::PUT, "/api/v1/telemetry/retention") => Some(json!({})),
        (&http::Method::POST, "/api/v1/dashboards") => Some(json!({"title": "x"})),
        (&http::Method::POST, "/api/v1/dashboards/import") => Some(json!({"document": {}})),
        (&http::Method::PUT, path) if path.starts_with("/api/v1/dashboards/") => {
            Some(json!({"version": 1, "board": {"title": "x"}}))
        }
        (&http::Method::POST, "/api/v1/clusters") => Some(json!({"name": "eu-1"})),
        _ => None,
    }
}
