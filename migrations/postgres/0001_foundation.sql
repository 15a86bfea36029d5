-- Everything that the first release keeps. Times are UTC epoch microseconds, amounts microcredits, ids
-- TypeIDs. Columns named sealed_… hold values sealed under the account's data key. Texts are compared byte by
-- byte, as the embedded database does, whatever language the database was created for: lists page by them.

CREATE TABLE settings (
    name text COLLATE "C" PRIMARY KEY,
    value text COLLATE "C" NOT NULL
);

CREATE TABLE hosts (
    id text COLLATE "C" PRIMARY KEY,
    epoch bigint NOT NULL,
    started_at bigint NOT NULL,
    lease_until bigint NOT NULL
);

CREATE TABLE accounts (
    id text COLLATE "C" PRIMARY KEY,
    sealed_email bytea NOT NULL,
    email_lookup bytea NOT NULL UNIQUE,
    plan text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE data_keys (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    version bigint NOT NULL,
    wrapped bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (account_id, version)
);

CREATE TABLE api_keys (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    name text COLLATE "C" NOT NULL,
    digest bytea NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);

CREATE TABLE operator_keys (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    digest bytea NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    revoked_at bigint
);

CREATE TABLE idempotency_keys (
    account_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    request_digest bytea NOT NULL,
    subject text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (account_id, name)
);

-- Component bytes, in chunks of one MiB. A component is complete once its last chunk is in.
CREATE TABLE components (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    digest text COLLATE "C" NOT NULL,
    bytes bigint NOT NULL,
    complete bigint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (account_id, digest)
);

CREATE TABLE component_chunks (
    account_id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    chunk bytea NOT NULL,
    PRIMARY KEY (account_id, digest, position)
);

CREATE TABLE agents (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    name text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    deleted_at bigint
);
CREATE UNIQUE INDEX agents_by_name ON agents (account_id, name) WHERE deleted_at IS NULL;

CREATE TABLE agent_versions (
    account_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL REFERENCES agents (id),
    version bigint NOT NULL,
    digest text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    manifest text COLLATE "C" NOT NULL,
    bytes bigint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (agent_id, version),
    UNIQUE (agent_id, digest)
);

CREATE TABLE deployments (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    name text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    deleted_at bigint
);
CREATE UNIQUE INDEX deployments_by_name ON deployments (account_id, name) WHERE deleted_at IS NULL;

-- What a deployment was at each of its revisions; immutable.
CREATE TABLE deployment_revisions (
    account_id text COLLATE "C" NOT NULL,
    deployment_id text COLLATE "C" NOT NULL REFERENCES deployments (id),
    revision bigint NOT NULL,
    agent_id text COLLATE "C" NOT NULL REFERENCES agents (id),
    agent_version bigint NOT NULL,
    sealed_config bytea NOT NULL,
    limits text COLLATE "C" NOT NULL,
    scratch bigint NOT NULL,
    log_output bigint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (deployment_id, revision)
);

-- Prices, limits and fuel schedule that runs were admitted under, named by their content.
CREATE TABLE terms (
    id text COLLATE "C" PRIMARY KEY,
    terms text COLLATE "C" NOT NULL
);

CREATE TABLE runs (
    account_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    deployment_id text COLLATE "C" NOT NULL,
    deployment_revision bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    outcome text COLLATE "C",
    cause text COLLATE "C" NOT NULL,
    attempt bigint NOT NULL,
    parent_run_id text COLLATE "C",
    root_run_id text COLLATE "C" NOT NULL,
    host_id text COLLATE "C",
    host_epoch bigint,
    terms_id text COLLATE "C" NOT NULL,
    held bigint NOT NULL,
    sealed_input bytea NOT NULL,
    sealed_output bytea,
    sealed_error bytea,
    fuel bigint,
    charged bigint,
    charges text COLLATE "C",
    cancel_requested_at bigint,
    created_at bigint NOT NULL,
    started_at bigint,
    finished_at bigint,
    PRIMARY KEY (account_id, id)
);
CREATE INDEX runs_unfinished ON runs (status, account_id, id) WHERE status <> 'finished';

-- Sealed log entries of a run, in the order of their first sequence number.
CREATE TABLE log_chunks (
    account_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    first_sequence bigint NOT NULL,
    entries bigint NOT NULL,
    sealed_entries bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (account_id, run_id, first_sequence)
);

-- The only link between an account and its transfers.
CREATE TABLE tenants (
    account_id text COLLATE "C" PRIMARY KEY REFERENCES accounts (id),
    tenant bigint NOT NULL UNIQUE
);

CREATE TABLE balances (
    tenant bigint PRIMARY KEY,
    available bigint NOT NULL CHECK (available >= 0),
    held bigint NOT NULL CHECK (held >= 0)
);

-- The verb says which two ledger accounts the amount moves between. Rows are only ever added.
CREATE TABLE transfers (
    tenant bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    verb text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    at bigint NOT NULL,
    host_id text COLLATE "C" NOT NULL,
    host_sequence bigint NOT NULL,
    chain bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE chain_heads (
    host_id text COLLATE "C" PRIMARY KEY,
    host_group bigint NOT NULL,
    host_sequence bigint NOT NULL,
    chain bytea NOT NULL
);
