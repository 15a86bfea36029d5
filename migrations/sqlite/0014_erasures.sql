-- Accounts that their owners deleted: until when they can think again, and afterwards what was erased and what is kept.
CREATE TABLE erasures (
    id TEXT PRIMARY KEY,
    -- None once it is erased. What is kept for the law is the pseudonym's, which is an account that nobody has.
    account_id TEXT UNIQUE,
    pseudonym TEXT NOT NULL UNIQUE,
    -- By which the account is known again in a backup: an HMAC of its id.
    account_digest BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL,
    -- The account's status before it was closing, which it gets back if its owner thinks again.
    status_before TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    state_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    erased_at INTEGER,
    -- JSON: rows by table that were erased, and that are kept and why.
    certificate TEXT
) STRICT;
CREATE INDEX erasures_due ON erasures (due_at) WHERE erased_at IS NULL;

-- The region that a host serves: the first of those that live does what is to be done once in it.
ALTER TABLE hosts ADD COLUMN region TEXT NOT NULL DEFAULT '';

-- Up to which run inputs, outputs and errors of an account's runs are forgotten, since they were kept long enough.
ALTER TABLE accounts ADD COLUMN contents_until TEXT NOT NULL DEFAULT '';
