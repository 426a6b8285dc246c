-- Keys that were made for bots; those made before are their makers' own.
ALTER TABLE api_key ADD COLUMN bot BOOLEAN NOT NULL DEFAULT FALSE;
