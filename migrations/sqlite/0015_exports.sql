-- Copies of what is kept of accounts: one at a time for each, until it expires.
CREATE TABLE exports (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL UNIQUE REFERENCES accounts (id),
    -- An age recipient, whom alone the copy opens for.
    recipient TEXT,
    state TEXT NOT NULL,
    -- Each try writes parts of its own, so that one that a dead host began is never continued by another.
    attempt INTEGER NOT NULL,
    rows_total INTEGER NOT NULL,
    rows_done INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT,
    asked_at INTEGER NOT NULL,
    state_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX exports_waiting ON exports (state_at) WHERE state IN ('asked', 'writing', 'ready');

CREATE TABLE export_parts (
    account_id TEXT NOT NULL,
    export_id TEXT NOT NULL REFERENCES exports (id),
    attempt INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sealed_part BLOB NOT NULL,
    PRIMARY KEY (account_id, export_id, attempt, position)
) STRICT;
