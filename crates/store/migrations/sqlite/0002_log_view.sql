-- Named log queries of a person or key; `shared` ones are seen by the whole organisation.
CREATE TABLE log_view (
    org_id      BLOB    NOT NULL REFERENCES organisation (id),
    id          BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    shared      BOOLEAN NOT NULL,
    body        TEXT    NOT NULL,
    updated_ms  BIGINT  NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, owner, name)
);
