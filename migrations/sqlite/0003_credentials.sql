-- Credentials that agents use and never see, what deployments grant, and the audit of each use.

CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    -- The number of the last version that was made; one that was retired is never given again.
    last_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (account_id, name)
) STRICT;

-- The values that are not retired. The latest is in use.
CREATE TABLE credential_versions (
    account_id TEXT NOT NULL,
    credential_id TEXT NOT NULL REFERENCES credentials (id),
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sealed_secret BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (credential_id, version)
) STRICT;
CREATE INDEX credential_versions_by_account ON credential_versions (account_id, credential_id);

-- The credentials that deployments name at their present revision.
CREATE TABLE deployment_credentials (
    account_id TEXT NOT NULL,
    deployment_id TEXT NOT NULL REFERENCES deployments (id),
    credential TEXT NOT NULL,
    PRIMARY KEY (deployment_id, credential)
) STRICT;
CREATE INDEX deployment_credentials_by_name ON deployment_credentials (account_id, credential);

-- Each use of a credential. What for is sealed, since a run chose it. Until ended_at is set nobody knows how
-- the use ended; with it and without a status there was no answer.
CREATE TABLE credential_uses (
    account_id TEXT NOT NULL,
    id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    credential TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed_purpose BLOB NOT NULL,
    status INTEGER,
    used_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (account_id, id)
) STRICT;
CREATE INDEX credential_uses_by_credential ON credential_uses (account_id, credential, used_at);
CREATE INDEX credential_uses_by_run ON credential_uses (account_id, run_id);
CREATE INDEX credential_uses_by_age ON credential_uses (used_at);

-- All that a revision grants is one JSON value, a scratch folder too.
ALTER TABLE deployment_revisions ADD COLUMN grants TEXT NOT NULL DEFAULT '{}';
UPDATE deployment_revisions SET grants = '{"scratch":true}' WHERE scratch = 1;
ALTER TABLE deployment_revisions DROP COLUMN scratch;
