-- State of the platform: organisations, people, credentials, clusters, agents, audit.
-- Portable subset: times are BIGINT ms since 1970 in UTC, ids 16 bytes, flags SMALLINT 0/1, JSON as text.

CREATE TABLE installation (
    one         SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    id          BLOB     NOT NULL,
    created_ms  BIGINT   NOT NULL
);

CREATE TABLE organisation (
    id          BLOB   NOT NULL PRIMARY KEY,
    slug        TEXT   NOT NULL UNIQUE,
    name        TEXT   NOT NULL,
    plan        TEXT   NOT NULL DEFAULT 'self-hosted',
    status      TEXT   NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleting')),
    settings    TEXT   NOT NULL DEFAULT '{}',
    created_ms  BIGINT NOT NULL
);

CREATE TABLE person (
    id            BLOB   NOT NULL PRIMARY KEY,
    email         TEXT   NOT NULL UNIQUE,
    name          TEXT   NOT NULL,
    status        TEXT   NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    password_hash TEXT,
    created_ms    BIGINT NOT NULL
);

CREATE TABLE membership (
    org_id      BLOB   NOT NULL REFERENCES organisation (id),
    user_id     BLOB   NOT NULL REFERENCES person (id),
    role        TEXT   NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'editor', 'viewer', 'auditor')),
    created_ms  BIGINT NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX membership_user ON membership (user_id);

CREATE TABLE session (
    org_id       BLOB   NOT NULL,
    id           BLOB   NOT NULL,
    user_id      BLOB   NOT NULL,
    token_hash   BLOB   NOT NULL UNIQUE,
    client       TEXT   NOT NULL CHECK (client IN ('browser', 'terminal')),
    via          TEXT   NOT NULL CHECK (via IN ('link', 'password', 'device')),
    ip           TEXT   NOT NULL,
    user_agent   TEXT   NOT NULL,
    created_ms   BIGINT NOT NULL,
    last_used_ms BIGINT NOT NULL,
    expires_ms   BIGINT NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES membership (org_id, user_id) ON DELETE CASCADE
);
CREATE INDEX session_user ON session (org_id, user_id);

CREATE TABLE sign_in_link (
    org_id      BLOB   NOT NULL,
    id          BLOB   NOT NULL,
    user_id     BLOB   NOT NULL,
    token_hash  BLOB   NOT NULL UNIQUE,
    created_ms  BIGINT NOT NULL,
    expires_ms  BIGINT NOT NULL,
    used_ms     BIGINT,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES membership (org_id, user_id) ON DELETE CASCADE
);
CREATE INDEX sign_in_link_user ON sign_in_link (org_id, user_id);

CREATE TABLE api_key (
    org_id       BLOB   NOT NULL REFERENCES organisation (id),
    id           BLOB   NOT NULL,
    public_id    TEXT   NOT NULL UNIQUE,
    prefix       TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    role         TEXT   NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'editor', 'viewer', 'auditor')),
    mac          BLOB   NOT NULL,
    created_by   TEXT   NOT NULL,
    created_ms   BIGINT NOT NULL,
    expires_ms   BIGINT,
    last_used_ms BIGINT,
    revoked_ms   BIGINT,
    PRIMARY KEY (org_id, id)
);

-- The organisation of a terminal's sign-in is not known before a person approves it.
CREATE TABLE device_login (
    secret_hash BLOB   NOT NULL PRIMARY KEY,
    code        TEXT   NOT NULL UNIQUE,
    status      TEXT   NOT NULL CHECK (status IN ('waiting', 'approved', 'denied', 'spent')),
    org_id      BLOB,
    user_id     BLOB,
    ip          TEXT   NOT NULL,
    user_agent  TEXT   NOT NULL,
    created_ms  BIGINT NOT NULL,
    expires_ms  BIGINT NOT NULL,
    FOREIGN KEY (org_id, user_id) REFERENCES membership (org_id, user_id) ON DELETE CASCADE
);
CREATE INDEX device_login_user ON device_login (org_id, user_id);

CREATE TABLE cluster (
    org_id       BLOB   NOT NULL REFERENCES organisation (id),
    id           BLOB   NOT NULL,
    name         TEXT   NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('kubernetes', 'docker', 'host')),
    uid          TEXT   NOT NULL DEFAULT '',
    tier         TEXT   NOT NULL CHECK (tier IN ('observe', 'debug', 'operate')),
    status       TEXT   NOT NULL CHECK (status IN ('waiting', 'connected', 'disconnected', 'cluster_changed', 'removed')),
    platform     TEXT   NOT NULL DEFAULT '',
    created_ms   BIGINT NOT NULL,
    last_seen_ms BIGINT,
    PRIMARY KEY (org_id, id)
);
-- A removed cluster gives its name back.
CREATE UNIQUE INDEX cluster_name ON cluster (org_id, name) WHERE status <> 'removed';

CREATE TABLE agent (
    org_id       BLOB   NOT NULL,
    id           BLOB   NOT NULL,
    cluster_id   BLOB   NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('cluster', 'node', 'host')),
    node         TEXT   NOT NULL,
    node_uid     TEXT   NOT NULL DEFAULT '',
    public_key   BLOB   NOT NULL,
    machine      TEXT   NOT NULL,
    version      TEXT   NOT NULL,
    platform     TEXT   NOT NULL DEFAULT '',
    status       TEXT   NOT NULL CHECK (status IN ('active', 'revoked')),
    epoch        BIGINT NOT NULL DEFAULT 0,
    instance     BLOB,
    created_ms   BIGINT NOT NULL,
    last_seen_ms BIGINT,
    revoked_ms   BIGINT,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, cluster_id) REFERENCES cluster (org_id, id)
);
CREATE UNIQUE INDEX agent_id ON agent (id);
CREATE INDEX agent_cluster ON agent (org_id, cluster_id);

CREATE TABLE join_token (
    org_id      BLOB   NOT NULL,
    id          BLOB   NOT NULL,
    cluster_id  BLOB   NOT NULL,
    token_hash  BLOB   NOT NULL UNIQUE,
    created_ms  BIGINT NOT NULL,
    expires_ms  BIGINT NOT NULL,
    used_ms     BIGINT,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, cluster_id) REFERENCES cluster (org_id, id)
);
CREATE INDEX join_token_cluster ON join_token (org_id, cluster_id);

CREATE TABLE audit (
    org_id       BLOB   NOT NULL REFERENCES organisation (id),
    seq          BIGINT NOT NULL,
    at_ms        BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    client       TEXT   NOT NULL,
    ip           TEXT   NOT NULL,
    user_agent   TEXT   NOT NULL,
    request_id   TEXT   NOT NULL,
    session      TEXT   NOT NULL,
    action       TEXT   NOT NULL,
    cluster      TEXT   NOT NULL,
    object       TEXT   NOT NULL,
    target_uid   TEXT   NOT NULL,
    decision     TEXT   NOT NULL,
    rule         TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    detail       TEXT   NOT NULL,
    decision_seq BIGINT,
    prev         BLOB   NOT NULL,
    hash         BLOB   NOT NULL,
    PRIMARY KEY (org_id, seq)
);
CREATE INDEX audit_action ON audit (org_id, action, seq);

CREATE TABLE audit_head (
    org_id  BLOB   NOT NULL PRIMARY KEY REFERENCES organisation (id),
    seq     BIGINT NOT NULL,
    hash    BLOB   NOT NULL
);

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit rows are append-only');
END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit rows are append-only');
END;

CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
WHEN NEW.seq <> OLD.seq + 1 OR NEW.org_id <> OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'the audit head only moves forward');
END;

CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit head only moves forward');
END;

CREATE TABLE inventory_snapshot (
    org_id      BLOB   NOT NULL,
    cluster_id  BLOB   NOT NULL,
    at_ms       BIGINT NOT NULL,
    body        BLOB   NOT NULL,
    PRIMARY KEY (org_id, cluster_id),
    FOREIGN KEY (org_id, cluster_id) REFERENCES cluster (org_id, id)
);
