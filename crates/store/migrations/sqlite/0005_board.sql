-- Boards of an organisation; `version` rises with every change, so that no change is written over a newer one unseen.
CREATE TABLE board (
    org_id      BLOB    NOT NULL REFERENCES organisation (id),
    id          BLOB    NOT NULL,
    title       TEXT    NOT NULL,
    says        TEXT    NOT NULL,
    panels      BIGINT  NOT NULL,
    body        TEXT    NOT NULL,
    version     BIGINT  NOT NULL,
    created_by  TEXT    NOT NULL,
    created_ms  BIGINT  NOT NULL,
    updated_by  TEXT    NOT NULL,
    updated_ms  BIGINT  NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, title)
);
