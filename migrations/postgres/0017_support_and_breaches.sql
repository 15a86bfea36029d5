-- Support: what owners of accounts ask, and what operators answer.
CREATE TABLE support_threads (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    sealed_subject bytea NOT NULL,
    -- `open`, `answered` or `closed`.
    state text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);
CREATE INDEX support_threads_of_account ON support_threads (account_id, id);
CREATE INDEX support_threads_by_state ON support_threads (state, id);

CREATE TABLE support_messages (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    thread_id text COLLATE "C" NOT NULL REFERENCES support_threads (id),
    -- `owner` or `operator`, and the key of the latter.
    said_by text COLLATE "C" NOT NULL,
    operator_key_id text COLLATE "C",
    sealed_text bytea NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX support_messages_of_thread ON support_messages (thread_id, id);
CREATE INDEX support_messages_of_account ON support_messages (account_id);

-- Breaches: what happened, whom it concerns, and by when they are told.
CREATE TABLE breaches (
    id text COLLATE "C" PRIMARY KEY,
    -- What happened, and what those whom it concerns should do. Both name nobody, since all of them read it.
    facts text COLLATE "C" NOT NULL,
    advice text COLLATE "C" NOT NULL,
    -- JSON: the tables whose rows it concerns.
    tables text COLLATE "C" NOT NULL,
    aware_at bigint NOT NULL,
    due_at bigint NOT NULL,
    -- When those whom it concerns were written to, when the authority was told, and when it was over.
    told_at bigint,
    authority_told_at bigint,
    ended_at bigint
);
CREATE TABLE breach_accounts (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    breach_id text COLLATE "C" NOT NULL REFERENCES breaches (id),
    PRIMARY KEY (account_id, breach_id)
);
-- The breach that a mailing is about.
ALTER TABLE mailings ADD COLUMN about text COLLATE "C";
