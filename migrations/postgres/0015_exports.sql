-- Copies of what is kept of accounts: one at a time for each, until it expires.
CREATE TABLE exports (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL UNIQUE REFERENCES accounts (id),
    -- An age recipient, whom alone the copy opens for.
    recipient text COLLATE "C",
    state text COLLATE "C" NOT NULL,
    -- Each try writes parts of its own, so that one that a dead host began is never continued by another.
    attempt bigint NOT NULL,
    rows_total bigint NOT NULL,
    rows_done bigint NOT NULL,
    bytes bigint NOT NULL,
    sha256 text COLLATE "C",
    asked_at bigint NOT NULL,
    state_at bigint NOT NULL,
    expires_at bigint
);
CREATE INDEX exports_waiting ON exports (state_at) WHERE state IN ('asked', 'writing', 'ready');

CREATE TABLE export_parts (
    account_id text COLLATE "C" NOT NULL,
    export_id text COLLATE "C" NOT NULL REFERENCES exports (id),
    attempt bigint NOT NULL,
    position bigint NOT NULL,
    sealed_part bytea NOT NULL,
    PRIMARY KEY (account_id, export_id, attempt, position)
);
