-- Keys that may only send telemetry, and keys whose telemetry is one cluster's.
CREATE TABLE api_key_next (
    org_id       BLOB    NOT NULL REFERENCES organisation (id),
    id           BLOB    NOT NULL,
    public_id    TEXT    NOT NULL UNIQUE,
    prefix       TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    role         TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'editor', 'viewer', 'auditor', 'ingest')),
    mac          BLOB    NOT NULL,
    created_by   TEXT    NOT NULL,
    created_ms   BIGINT  NOT NULL,
    expires_ms   BIGINT,
    last_used_ms BIGINT,
    revoked_ms   BIGINT,
    bot          BOOLEAN NOT NULL DEFAULT FALSE,
    cluster_id   BLOB,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, cluster_id) REFERENCES cluster (org_id, id)
);
INSERT INTO api_key_next (org_id, id, public_id, prefix, name, role, mac, created_by, created_ms, expires_ms, last_used_ms, revoked_ms, bot)
SELECT org_id, id, public_id, prefix, name, role, mac, created_by, created_ms, expires_ms, last_used_ms, revoked_ms, bot FROM api_key;
DROP TABLE api_key;
ALTER TABLE api_key_next RENAME TO api_key;
