//! What stands open: TLS, headers, pages, probes, own metrics, limits.

use super::*;

async fn plain_get(addr: SocketAddr, path: &str) -> (StatusCode, String) {
    let answer = client().get(format!("http://{addr}{path}")).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn https_with_the_own_authority() {
    let stack = Stack::start_with(|c| {
        c.listen = vec![Listen::Https(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))];
        c.public_url = None;
    })
    .await;
    let pem = std::fs::read(stack.dir.path().join("data/tls/ca.pem")).unwrap();
    let ca = reqwest::Certificate::from_pem(&pem).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let answer = trusting
        .post(stack.url("/api/v1/auth/link"))
        .json(&json!({"token": stack.first_token()}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-ph=phs_"), "name");
    assert!(cookie.ends_with("Path=/; Secure; HttpOnly; SameSite=Lax"), "attributes");
    let pair = cookie.split(';').next().unwrap();
    let me = trusting.get(stack.url("/api/v1/me")).header("cookie", pair).send().await.unwrap();
    assert_eq!(me.status(), StatusCode::OK);
    let renamed = pair.replace("__Host-ph", "ph");
    let me = trusting.get(stack.url("/api/v1/me")).header("cookie", renamed).send().await.unwrap();
    assert_eq!(me.status(), StatusCode::UNAUTHORIZED);
    assert!(client().get(stack.url("/healthz")).send().await.is_err(), "nobody trusts the authority unasked");
    stack.stop().await;
}

#[tokio::test]
async fn every_answer_is_protected_and_named() {
    let stack = Stack::start().await;
    for path in ["/", "/api/v1/auth/methods", "/api/v1/none", "/assets/none.js"] {
        let answer = stack.get(path, None).await;
        let headers = answer.headers();
        let csp = headers["content-security-policy"].to_str().unwrap();
        assert!(
            csp.starts_with("default-src 'none'; script-src 'self';")
                && csp.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
        assert!(!headers["x-request-id"].is_empty(), "{path}");
    }
    let given =
        client().get(stack.url("/api/v1/me")).header("x-request-id", "my-request-1").send().await.unwrap();
    assert_eq!(given.headers()["x-request-id"], "my-request-1");
    assert_eq!(given.headers()["content-type"], "application/problem+json");
    let body: Value = given.json().await.unwrap();
    assert_eq!((body["request_id"].as_str(), body["status"].as_u64()), (Some("my-request-1"), Some(401)));
    let forged = client().get(stack.url("/api/v1/me")).header("x-request-id", "a b").send().await.unwrap();
    assert_ne!(forged.headers()["x-request-id"], "a b");
    stack.stop().await;
}

#[tokio::test]
async fn pages_for_people_and_404_for_programs() {
    let stack = Stack::start().await;
    for path in ["/", "/sign-in", "/o/main/workloads/x"] {
        let page = stack.get(path, None).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(page.headers()["cache-control"], "no-cache", "{path}");
    }
    for path in ["/api/v1/none", "/api", "/v1/none", "/assets/none.js"] {
        let answer = stack.get(path, None).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    let described: Value = stack.get("/api/v1/openapi.json", None).await.json().await.unwrap();
    assert_eq!(described["info"]["title"], "Pilothouse");
    stack.stop().await;
}

#[tokio::test]
async fn bodies_are_bounded_and_typed() {
    let stack = Stack::start().await;
    let big = json!({"token": "x".repeat(2 << 20)});
    assert_eq!(stack.post("/api/v1/auth/link", None, big).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let text = client().post(stack.url("/api/v1/auth/link")).body("{}").send().await.unwrap();
    assert_eq!(text.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let broken = client()
        .post(stack.url("/api/v1/auth/link"))
        .header("content-type", "application/json")
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    let wrong: Value = stack.post("/api/v1/auth/link", None, json!({"token": 5})).await.json().await.unwrap();
    assert_eq!((wrong["status"].as_u64(), wrong["errors"][0]["path"].as_str()), (Some(422), Some("token")));
    stack.stop().await;
}

#[tokio::test]
async fn probes_and_own_metrics_tell() {
    let stack = Stack::start().await;
    let (probes, metrics) = (stack.running.probes.unwrap(), stack.running.metrics.unwrap());
    assert_eq!(plain_get(probes, "/livez").await.0, StatusCode::OK);
    assert_eq!(plain_get(probes, "/readyz").await.0, StatusCode::OK);
    assert_eq!(stack.get("/healthz", None).await.text().await.unwrap(), "ok\n");
    let (_, text) = plain_get(metrics, "/metrics").await;
    assert!(text.contains("pilothouse_gateway_requests_total{code=\"2xx\"} 1\n"), "{text}");
    let told =
        |name: &str| text.lines().any(|line| line.strip_prefix(name).is_some_and(|l| l.starts_with(" ")));
    for name in ["rows_total", "cache_hits_total", "cache_misses_total", "cache_bytes"] {
        assert!(told(&format!("pilothouse_store_{name}")), "{name}: {text}");
    }
    stack.running.app.state.close().await;
    let (status, body) = plain_get(probes, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("\"part\":\"state\""), "{body}");
    assert_eq!(plain_get(probes, "/livez").await.0, StatusCode::OK);
    stack.stop().await;
}

#[tokio::test]
async fn a_busy_own_port_is_named_and_not_fatal() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = taken.local_addr().unwrap();
    let stack = Stack::start_with(|c| {
        c.metrics = Some(addr);
        c.probes = None;
    })
    .await;
    assert_eq!((stack.running.metrics, stack.running.probes), (None, None));
    let said = &stack.running.warnings[0];
    assert!(said.contains(&addr.to_string()) && said.contains("--metrics off"), "{said}");
    stack.stop().await;
}

#[tokio::test]
async fn one_server_a_data_directory_and_a_busy_main_port_is_named() {
    let stack = Stack::start().await;
    let mut config = stack.running.app.config.clone();
    let second = Server::start(config.clone(), Clock::system()).await.err().unwrap().to_string();
    assert!(second.contains("another server uses the data directory"), "{second}");
    config.data = stack.dir.path().join("other");
    config.listen = vec![Listen::Http(stack.running.addrs[0])];
    let busy = Server::start(config, Clock::system()).await.err().unwrap().to_string();
    assert!(busy.contains(&stack.running.addrs[0].to_string()) && busy.contains("--listen"), "{busy}");
    stack.stop().await;
}
