-- Letters (email) to accounts, each written in the commit of its cause. Recipient and content are sealed, and gone
-- once it is sent.
CREATE TABLE letters (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    sealed_letter bytea,
    attempts bigint NOT NULL,
    -- Not before this moment; whoever takes a letter puts it off for as long as sending may take.
    next_attempt_at bigint NOT NULL,
    last_error text COLLATE "C",
    created_at bigint NOT NULL,
    ended_at bigint
);
CREATE INDEX letters_waiting ON letters (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX letters_ended ON letters (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX letters_by_account ON letters (account_id, id);

-- Links that work once. Of each only a digest of its secret is kept.
CREATE TABLE links (
    digest bytea PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    purpose text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX links_by_account ON links (account_id, purpose);

-- A change of the email address, which both addresses confirm.
CREATE TABLE email_changes (
    account_id text COLLATE "C" PRIMARY KEY REFERENCES accounts (id),
    sealed_email bytea NOT NULL,
    email_lookup bytea NOT NULL,
    confirmed_by_old bigint NOT NULL,
    confirmed_by_new bigint NOT NULL,
    expires_at bigint NOT NULL
);

-- Months for which an account was given its plan's monthly grant.
CREATE TABLE monthly_grants (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    month text COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, month)
);

-- Credentials that a deployment has used, which its owner is told of once.
CREATE TABLE first_uses (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    deployment_id text COLLATE "C" NOT NULL,
    credential text COLLATE "C" NOT NULL,
    told_at bigint NOT NULL,
    PRIMARY KEY (account_id, deployment_id, credential)
);

-- When a pending account is forgotten, and below which balance an active one is warned: once for each crossing, so
-- that one which begins with nothing counts as told.
ALTER TABLE accounts ADD COLUMN pending_until bigint;
ALTER TABLE accounts ADD COLUMN low_balance bigint;
ALTER TABLE accounts ADD COLUMN low_balance_told bigint NOT NULL DEFAULT 1;
