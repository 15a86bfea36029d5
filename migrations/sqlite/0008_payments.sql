-- Money that comes in and goes back. A debt is what went back and had been spent already.
ALTER TABLE balances ADD COLUMN debt INTEGER NOT NULL DEFAULT 0 CHECK (debt >= 0);

-- What accounts ask to buy, at the price of that moment.
CREATE TABLE top_ups (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    state TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    microcredits_per_minor_unit INTEGER NOT NULL,
    checkout_url TEXT,
    created_at INTEGER NOT NULL,
    paid_at INTEGER
) STRICT;
CREATE INDEX top_ups_by_account ON top_ups (account_id, id);

-- Payments by the processor's id, as it told last; what each bought, and what of that was taken back. Of one that is
-- not known yet there may be a refund or a dispute already.
CREATE TABLE payments (
    id TEXT PRIMARY KEY,
    account_id TEXT REFERENCES accounts (id),
    top_up_id TEXT REFERENCES top_ups (id),
    state TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    tax INTEGER NOT NULL,
    currency TEXT NOT NULL,
    credited INTEGER NOT NULL CHECK (credited >= 0),
    taken INTEGER NOT NULL CHECK (taken >= 0 AND taken <= credited)
) STRICT;
CREATE INDEX payments_by_top_up ON payments (top_up_id, id);

-- Refunds and disputes by the processor's id, as it told last.
CREATE TABLE reversals (
    processor_id TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account_id TEXT REFERENCES accounts (id),
    payment_id TEXT NOT NULL REFERENCES payments (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    -- None is the whole payment.
    amount INTEGER,
    currency TEXT,
    -- How often it has moved credits, which numbers the subjects of its transfers.
    movements INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX reversals_by_payment ON reversals (payment_id, id);

-- Deliveries by the processor's id, so that none is taken twice.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    account_id TEXT REFERENCES accounts (id),
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

-- What operators did, and why.
CREATE TABLE operator_acts (
    id TEXT PRIMARY KEY,
    account_id TEXT REFERENCES accounts (id),
    operator_key_id TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT,
    amount INTEGER,
    -- Sealed under the account's data key; in the open where the act is about no account.
    sealed_reason BLOB,
    reason TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX operator_acts_by_account ON operator_acts (account_id, id);
