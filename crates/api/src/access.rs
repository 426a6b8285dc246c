//! Sign-in, sessions, API keys, organisations, users.

use ph_model::{ClusterId, KeyId, OrgId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/auth/methods` — what the sign-in page offers. No credential needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuthMethods {
    pub password: bool,
    /// No user has a password yet: use the one-time link that `serve` printed.
    pub first_start: bool,
}

/// `POST /api/v1/auth/link` — spends a one-time sign-in link (the page `/sign-in#token=…` sends it; it is never in a query).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkSignIn {
    pub token: String,
}

/// `POST /api/v1/auth/sign-in` — by password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordSignIn {
    pub email: String,
    pub password: String,
}

/// `PUT /api/v1/me/password`. `current` is needed once a password is set, unless the session came from a one-time link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[serde(default)]
    pub current: Option<String>,
    pub new: String,
}

/// `GET /api/v1/me`, and the answer to both sign-ins (which also set the session cookie).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    #[schema(value_type = String)]
    pub user_id: Option<UserId>,
    pub email: String,
    pub name: String,
    pub org: Organisation,
    /// `owner`, `admin`, `operator`, `editor`, `viewer`, `auditor`.
    pub role: String,
    /// Names of permissions, sorted: what the caller may do in this organisation.
    pub permissions: Vec<String>,
    /// Most lines of one page of logs.
    #[serde(default)]
    pub log_page_rows: u32,
    pub has_password: bool,
    /// Anti-forgery is by `Sec-Fetch-Site` or `Origin`; no token is needed.
    pub session: Option<Session>,
    pub server_time_ms: i64,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Organisation {
    #[schema(value_type = String)]
    pub id: OrgId,
    /// Stands in web addresses: `/o/{slug}/…`.
    pub slug: String,
    pub name: String,
    pub status: String,
}

/// `GET /api/v1/orgs`, `GET /api/v1/members`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    #[schema(value_type = String)]
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub role: String,
    pub status: String,
}

/// `POST /api/v1/members` — creates the user when the address is new. The answer holds a one-time sign-in link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberNew {
    pub email: String,
    #[serde(default)]
    pub name: String,
    pub role: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemberCreated {
    pub member: Member,
    /// Shown once; 30 min.
    pub sign_in_link: String,
}

/// `GET /api/v1/sessions`, `DELETE /api/v1/sessions/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    #[schema(value_type = String)]
    pub id: SessionId,
    pub created_ms: i64,
    pub last_used_ms: i64,
    pub expires_ms: i64,
    pub ip: String,
    pub user_agent: String,
    /// `browser` or `terminal`.
    pub client: String,
    pub current: bool,
}

/// `GET /api/v1/keys`, `DELETE /api/v1/keys/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    #[schema(value_type = String)]
    pub id: KeyId,
    pub name: String,
    /// First characters, enough to tell keys apart.
    pub prefix: String,
    pub role: String,
    /// Made for a bot, so that the narrower budgets hold.
    #[serde(default)]
    pub bot: bool,
    /// The cluster that everything it sends is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub cluster: Option<ClusterId>,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub last_used_ms: Option<i64>,
    pub created_by: String,
}

/// `POST /api/v1/keys`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyNew {
    pub name: String,
    /// A member's role, or `ingest`: it may send telemetry and nothing else.
    pub role: String,
    /// Default 90; at most 365.
    #[serde(default)]
    pub expires_days: Option<u32>,
    /// For a program that decides by itself what it asks, such as an AI agent: narrower budgets hold. Default: the key counts as
    /// the person who made it.
    #[serde(default)]
    pub bot: bool,
    /// A registered cluster that everything this key sends is of. Default: what it sends is of no registered cluster.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub cluster: Option<ClusterId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyCreated {
    pub key: ApiKey,
    /// Shown once.
    pub secret: String,
}

/// `POST /api/v1/auth/device` — a terminal asks to be signed in; `POST /api/v1/auth/device/poll` waits for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceStarted {
    /// Held by the terminal; never shown.
    pub device_secret: String,
    /// Shown in the terminal and confirmed in the browser at `verify_url`.
    pub code: String,
    pub verify_url: String,
    pub expires_ms: i64,
    pub poll_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePoll {
    pub device_secret: String,
}

/// Answer to a poll: 200 with this once confirmed, 202 while waiting, 410 when denied or expired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceGranted {
    /// Session token for `Authorization: Bearer`.
    pub token: String,
    pub email: String,
    pub org: Organisation,
    pub expires_ms: i64,
}

/// `POST /api/v1/auth/device/confirm`, by the signed-in browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfirm {
    pub code: String,
    pub approve: bool,
}
