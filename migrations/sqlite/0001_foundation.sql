-- Everything that the first release keeps. Times are UTC epoch microseconds, amounts microcredits, ids
-- TypeIDs. Columns named sealed_… hold values sealed under the account's data key.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE hosts (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    sealed_email BLOB NOT NULL,
    email_lookup BLOB NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE data_keys (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    version INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, version)
) STRICT;

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);

CREATE TABLE operator_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE idempotency_keys (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    subject TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT;

-- Component bytes, in chunks of one MiB. A component is complete once its last chunk is in.
CREATE TABLE components (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, digest)
) STRICT;

CREATE TABLE component_chunks (
    account_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    position INTEGER NOT NULL,
    chunk BLOB NOT NULL,
    PRIMARY KEY (account_id, digest, position)
) STRICT;

CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX agents_by_name ON agents (account_id, name) WHERE deleted_at IS NULL;

CREATE TABLE agent_versions (
    account_id TEXT NOT NULL,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    version INTEGER NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    manifest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (agent_id, version),
    UNIQUE (agent_id, digest)
) STRICT;

CREATE TABLE deployments (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX deployments_by_name ON deployments (account_id, name) WHERE deleted_at IS NULL;

-- What a deployment was at each of its revisions; immutable.
CREATE TABLE deployment_revisions (
    account_id TEXT NOT NULL,
    deployment_id TEXT NOT NULL REFERENCES deployments (id),
    revision INTEGER NOT NULL,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    agent_version INTEGER NOT NULL,
    sealed_config BLOB NOT NULL,
    limits TEXT NOT NULL,
    scratch INTEGER NOT NULL,
    log_output INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, revision)
) STRICT;

-- Prices, limits and fuel schedule that runs were admitted under, named by their content.
CREATE TABLE terms (
    id TEXT PRIMARY KEY,
    terms TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    account_id TEXT NOT NULL,
    id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    deployment_revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT,
    cause TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    parent_run_id TEXT,
    root_run_id TEXT NOT NULL,
    host_id TEXT,
    host_epoch INTEGER,
    terms_id TEXT NOT NULL,
    held INTEGER NOT NULL,
    sealed_input BLOB NOT NULL,
    sealed_output BLOB,
    sealed_error BLOB,
    fuel INTEGER,
    charged INTEGER,
    charges TEXT,
    cancel_requested_at INTEGER,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    PRIMARY KEY (account_id, id)
) STRICT;
CREATE INDEX runs_unfinished ON runs (status, account_id, id) WHERE status <> 'finished';

-- Sealed log entries of a run, in the order of their first sequence number.
CREATE TABLE log_chunks (
    account_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    first_sequence INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    sealed_entries BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, run_id, first_sequence)
) STRICT;

-- The only link between an account and its transfers.
CREATE TABLE tenants (
    account_id TEXT PRIMARY KEY REFERENCES accounts (id),
    tenant INTEGER NOT NULL UNIQUE
) STRICT;

CREATE TABLE balances (
    tenant INTEGER PRIMARY KEY,
    available INTEGER NOT NULL CHECK (available >= 0),
    held INTEGER NOT NULL CHECK (held >= 0)
) STRICT;

-- The verb says which two ledger accounts the amount moves between. Rows are only ever added.
CREATE TABLE transfers (
    tenant INTEGER NOT NULL,
    id TEXT NOT NULL,
    subject TEXT NOT NULL,
    verb TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    at INTEGER NOT NULL,
    host_id TEXT NOT NULL,
    host_sequence INTEGER NOT NULL,
    chain BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE chain_heads (
    host_id TEXT PRIMARY KEY,
    host_group INTEGER NOT NULL,
    host_sequence INTEGER NOT NULL,
    chain BLOB NOT NULL
) STRICT;
