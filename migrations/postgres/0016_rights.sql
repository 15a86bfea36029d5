-- Who asked for an account's data to be kept and not worked with. Its status is `restricted` while anybody does.
CREATE TABLE restrictions (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    -- `owner` or `operator`: each lifts only what it set.
    set_by text COLLATE "C" NOT NULL,
    -- Why, as the owner said it. An operator's reason is with what operators did.
    sealed_reason bytea,
    created_at bigint NOT NULL,
    PRIMARY KEY (account_id, set_by)
);
INSERT INTO restrictions (account_id, set_by, created_at)
SELECT id, 'operator', COALESCE(
    (SELECT MAX(created_at) FROM operator_acts
     WHERE account_id = accounts.id AND act = 'status' AND subject = 'restricted'),
    created_at)
FROM accounts
WHERE status = 'restricted' OR EXISTS (
    SELECT 1 FROM erasures WHERE account_id = accounts.id AND state = 'asked' AND status_before = 'restricted');

-- Since when the account's owner objects to its use being analysed.
ALTER TABLE accounts ADD COLUMN objected_at bigint;

-- What owners said yes and no to. No row is changed: the latest on a purpose holds.
CREATE TABLE consents (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    purpose text COLLATE "C" NOT NULL,
    given bigint NOT NULL,
    -- The version of the policy that was in force.
    policy text COLLATE "C",
    -- `api`, or the `link` of a letter.
    source text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX consents_of_account ON consents (account_id, purpose, id);

-- Letters to many accounts.
CREATE TABLE mailings (
    id text COLLATE "C" PRIMARY KEY,
    -- `everybody`, or whoever is `consenting`.
    audience text COLLATE "C" NOT NULL,
    -- JSON: the letter, without what is each account's own.
    letter text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX mailings_by_age ON mailings (created_at);

-- Which of them an account has: written in the commit of its letter, so that it gets none twice.
CREATE TABLE mailed (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    mailing_id text COLLATE "C" NOT NULL REFERENCES mailings (id),
    PRIMARY KEY (account_id, mailing_id)
);

-- Versions of the privacy policy, each as it was shown.
CREATE TABLE policies (
    -- A digest of the text.
    version text COLLATE "C" PRIMARY KEY,
    text text COLLATE "C" NOT NULL,
    -- Since when it is in force; one that comes back is in force anew.
    since bigint NOT NULL,
    -- What an operator said that changed, and whether it matters to people.
    summary text COLLATE "C",
    material bigint NOT NULL,
    said_at bigint
);

-- Requests by which people use their rights: what the API does enters by itself, what comes by mail by an operator.
CREATE TABLE rights_requests (
    id text COLLATE "C" PRIMARY KEY,
    -- None for somebody without an account, and once the account is erased: no foreign key, so that what was done stays.
    account_id text COLLATE "C",
    kind text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    identity text COLLATE "C" NOT NULL,
    received_at bigint NOT NULL,
    due_at bigint NOT NULL,
    extended bigint NOT NULL,
    ended_at bigint
);
CREATE INDEX rights_requests_open ON rights_requests (due_at) WHERE state = 'open';
CREATE INDEX rights_requests_of_account ON rights_requests (account_id, kind);
CREATE INDEX rights_requests_by_age ON rights_requests (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX operator_acts_by_subject ON operator_acts (subject) WHERE subject IS NOT NULL;
