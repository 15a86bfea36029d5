-- Credentials that agents use and never see, what deployments grant, and the audit of each use.

CREATE TABLE credentials (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    name text COLLATE "C" NOT NULL,
    -- The number of the last version that was made; one that was retired is never given again.
    last_version bigint NOT NULL,
    created_at bigint NOT NULL,
    UNIQUE (account_id, name)
);

-- The values that are not retired. The latest is in use.
CREATE TABLE credential_versions (
    account_id text COLLATE "C" NOT NULL,
    credential_id text COLLATE "C" NOT NULL REFERENCES credentials (id),
    version bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (credential_id, version)
);
CREATE INDEX credential_versions_by_account ON credential_versions (account_id, credential_id);

-- The credentials that deployments name at their present revision.
CREATE TABLE deployment_credentials (
    account_id text COLLATE "C" NOT NULL,
    deployment_id text COLLATE "C" NOT NULL REFERENCES deployments (id),
    credential text COLLATE "C" NOT NULL,
    PRIMARY KEY (deployment_id, credential)
);
CREATE INDEX deployment_credentials_by_name ON deployment_credentials (account_id, credential);

-- Each use of a credential. What for is sealed, since a run chose it. Until ended_at is set nobody knows how
-- the use ended; with it and without a status there was no answer.
CREATE TABLE credential_uses (
    account_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    deployment_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    credential text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    sealed_purpose bytea NOT NULL,
    status bigint,
    used_at bigint NOT NULL,
    ended_at bigint,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX credential_uses_by_credential ON credential_uses (account_id, credential, used_at);
CREATE INDEX credential_uses_by_run ON credential_uses (account_id, run_id);
CREATE INDEX credential_uses_by_age ON credential_uses (used_at);

-- All that a revision grants is one JSON value, a scratch folder too.
ALTER TABLE deployment_revisions ADD COLUMN grants text COLLATE "C" NOT NULL DEFAULT '{}';
UPDATE deployment_revisions SET grants = '{"scratch":true}' WHERE scratch = 1;
ALTER TABLE deployment_revisions DROP COLUMN scratch;
