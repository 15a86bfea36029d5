-- Letters (email) to accounts, each written in the commit of its cause. Recipient and content are sealed, and gone
-- once it is sent.
CREATE TABLE letters (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    sealed_letter BLOB,
    attempts INTEGER NOT NULL,
    -- Not before this moment; whoever takes a letter puts it off for as long as sending may take.
    next_attempt_at INTEGER NOT NULL,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX letters_waiting ON letters (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX letters_ended ON letters (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX letters_by_account ON letters (account_id, id);

-- Links that work once. Of each only a digest of its secret is kept.
CREATE TABLE links (
    digest BLOB PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    purpose TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_account ON links (account_id, purpose);

-- A change of the email address, which both addresses confirm.
CREATE TABLE email_changes (
    account_id TEXT PRIMARY KEY REFERENCES accounts (id),
    sealed_email BLOB NOT NULL,
    email_lookup BLOB NOT NULL,
    confirmed_by_old INTEGER NOT NULL,
    confirmed_by_new INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Months for which an account was given its plan's monthly grant.
CREATE TABLE monthly_grants (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    month TEXT NOT NULL,
    PRIMARY KEY (account_id, month)
) STRICT, WITHOUT ROWID;

-- Credentials that a deployment has used, which its owner is told of once.
CREATE TABLE first_uses (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    deployment_id TEXT NOT NULL,
    credential TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, deployment_id, credential)
) STRICT, WITHOUT ROWID;

-- When a pending account is forgotten, and below which balance an active one is warned: once for each crossing, so
-- that one which begins with nothing counts as told.
ALTER TABLE accounts ADD COLUMN pending_until INTEGER;
ALTER TABLE accounts ADD COLUMN low_balance INTEGER;
ALTER TABLE accounts ADD COLUMN low_balance_told INTEGER NOT NULL DEFAULT 1;
