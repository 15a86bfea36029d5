-- The audit: what operators and owners did. Entries are only ever inserted, each chained to the one before it. What could
-- name anybody is apart, so that it can be erased: of it an entry holds a salted digest alone.
CREATE TABLE audit_entries (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    -- An operator's key, or `owner` or `system`.
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    digest BLOB NOT NULL,
    chain BLOB NOT NULL
) STRICT;

CREATE INDEX audit_entries_by_act ON audit_entries (act, position);

-- What entries are about, by their ids. It is written before its entry, in the same commit.
CREATE TABLE audit_contents (
    id TEXT PRIMARY KEY,
    account_id TEXT REFERENCES accounts (id),
    salt BLOB NOT NULL,
    -- JSON, sealed under the account's data key; in the open where it is about no account.
    sealed_content BLOB,
    content TEXT
) STRICT;
CREATE INDEX audit_contents_by_account ON audit_contents (account_id, id);

-- The end of the chain, behind whose lock the next entry is chained.
CREATE TABLE audit_end (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    chain BLOB NOT NULL
) STRICT;
INSERT INTO audit_end (one, position, chain) VALUES (1, 0, zeroblob(32));

-- Where the chain was at a moment, signed.
CREATE TABLE audit_heads (
    position INTEGER PRIMARY KEY,
    chain BLOB NOT NULL,
    at INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- What operators did is in the audit from now on; no release had this table.
DROP TABLE operator_acts;

-- What a key of an operator is for. Those that there are may do everything, as they could.
ALTER TABLE operator_keys ADD COLUMN role TEXT NOT NULL DEFAULT 'admin';

-- For how long an operator may look at what an account has. Why is in the audit.
CREATE TABLE operator_accesses (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    operator_key_id TEXT NOT NULL,
    -- One when inputs, outputs and what logs say may be looked at, too.
    contents INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- When something was first looked at, of which the owner is told.
    used_at INTEGER
) STRICT;
CREATE INDEX operator_accesses_by_account ON operator_accesses (account_id, operator_key_id, expires_at);
