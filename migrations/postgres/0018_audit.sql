-- The audit: what operators and owners did. Entries are only ever inserted, each chained to the one before it. What could
-- name anybody is apart, so that it can be erased: of it an entry holds a salted digest alone.
CREATE TABLE audit_entries (
    position bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    at bigint NOT NULL,
    -- An operator's key, or `owner` or `system`.
    actor text COLLATE "C" NOT NULL,
    act text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    chain bytea NOT NULL
);

CREATE INDEX audit_entries_by_act ON audit_entries (act, position);

-- What entries are about, by their ids. It is written before its entry, in the same commit.
CREATE TABLE audit_contents (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" REFERENCES accounts (id),
    salt bytea NOT NULL,
    -- JSON, sealed under the account's data key; in the open where it is about no account.
    sealed_content bytea,
    content text COLLATE "C"
);
CREATE INDEX audit_contents_by_account ON audit_contents (account_id, id);

-- The end of the chain, behind whose lock the next entry is chained.
CREATE TABLE audit_end (
    one bigint PRIMARY KEY CHECK (one = 1),
    position bigint NOT NULL,
    chain bytea NOT NULL
);
INSERT INTO audit_end (one, position, chain) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- Where the chain was at a moment, signed.
CREATE TABLE audit_heads (
    position bigint PRIMARY KEY,
    chain bytea NOT NULL,
    at bigint NOT NULL,
    signature bytea NOT NULL
);

-- What operators did is in the audit from now on; no release had this table.
DROP TABLE operator_acts;

-- What a key of an operator is for. Those that there are may do everything, as they could.
ALTER TABLE operator_keys ADD COLUMN role text COLLATE "C" NOT NULL DEFAULT 'admin';

-- For how long an operator may look at what an account has. Why is in the audit.
CREATE TABLE operator_accesses (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    operator_key_id text COLLATE "C" NOT NULL,
    -- One when inputs, outputs and what logs say may be looked at, too.
    contents bigint NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    -- When something was first looked at, of which the owner is told.
    used_at bigint
);
CREATE INDEX operator_accesses_by_account ON operator_accesses (account_id, operator_key_id, expires_at);
