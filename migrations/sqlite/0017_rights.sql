-- Who asked for an account's data to be kept and not worked with. Its status is `restricted` while anybody does.
CREATE TABLE restrictions (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- `owner` or `operator`: each lifts only what it set.
    set_by TEXT NOT NULL,
    -- Why, as the owner said it. An operator's reason is with what operators did.
    sealed_reason BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, set_by)
) STRICT;
INSERT INTO restrictions (account_id, set_by, created_at)
SELECT id, 'operator', COALESCE(
    (SELECT MAX(created_at) FROM operator_acts
     WHERE account_id = accounts.id AND act = 'status' AND subject = 'restricted'),
    created_at)
FROM accounts
WHERE status = 'restricted' OR EXISTS (
    SELECT 1 FROM erasures WHERE account_id = accounts.id AND state = 'asked' AND status_before = 'restricted');

-- Since when the account's owner objects to its use being analysed.
ALTER TABLE accounts ADD COLUMN objected_at INTEGER;

-- What owners said yes and no to. No row is changed: the latest on a purpose holds.
CREATE TABLE consents (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    purpose TEXT NOT NULL,
    given INTEGER NOT NULL,
    -- The version of the policy that was in force.
    policy TEXT,
    -- `api`, or the `link` of a letter.
    source TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX consents_of_account ON consents (account_id, purpose, id);

-- Letters to many accounts.
CREATE TABLE mailings (
    id TEXT PRIMARY KEY,
    -- `everybody`, or whoever is `consenting`.
    audience TEXT NOT NULL,
    -- JSON: the letter, without what is each account's own.
    letter TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX mailings_by_age ON mailings (created_at);

-- Which of them an account has: written in the commit of its letter, so that it gets none twice.
CREATE TABLE mailed (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    mailing_id TEXT NOT NULL REFERENCES mailings (id),
    PRIMARY KEY (account_id, mailing_id)
) STRICT;

-- Versions of the privacy policy, each as it was shown.
CREATE TABLE policies (
    -- A digest of the text.
    version TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    -- Since when it is in force; one that comes back is in force anew.
    since INTEGER NOT NULL,
    -- What an operator said that changed, and whether it matters to people.
    summary TEXT,
    material INTEGER NOT NULL,
    said_at INTEGER
) STRICT;
