-- Support: what owners of accounts ask, and what operators answer.
CREATE TABLE support_threads (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    sealed_subject BLOB NOT NULL,
    -- `open`, `answered` or `closed`.
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX support_threads_of_account ON support_threads (account_id, id);
CREATE INDEX support_threads_by_state ON support_threads (state, id);

CREATE TABLE support_messages (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    thread_id TEXT NOT NULL REFERENCES support_threads (id),
    -- `owner` or `operator`, and the key of the latter.
    said_by TEXT NOT NULL,
    operator_key_id TEXT,
    sealed_text BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX support_messages_of_thread ON support_messages (thread_id, id);
CREATE INDEX support_messages_of_account ON support_messages (account_id);

-- Breaches: what happened, whom it concerns, and by when they are told.
CREATE TABLE breaches (
    id TEXT PRIMARY KEY,
    -- What happened, and what those whom it concerns should do. Both name nobody, since all of them read it.
    facts TEXT NOT NULL,
    advice TEXT NOT NULL,
    -- JSON: the tables whose rows it concerns.
    tables TEXT NOT NULL,
    aware_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    -- When those whom it concerns were written to, when the authority was told, and when it was over.
    told_at INTEGER,
    authority_told_at INTEGER,
    ended_at INTEGER
) STRICT;
CREATE TABLE breach_accounts (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    breach_id TEXT NOT NULL REFERENCES breaches (id),
    PRIMARY KEY (account_id, breach_id)
) STRICT;
-- The breach that a mailing is about.
ALTER TABLE mailings ADD COLUMN about TEXT;
