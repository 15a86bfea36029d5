-- Money that comes in and goes back. A debt is what went back and had been spent already.
ALTER TABLE balances ADD COLUMN debt bigint NOT NULL DEFAULT 0 CHECK (debt >= 0);

-- What accounts ask to buy, at the price of that moment.
CREATE TABLE top_ups (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    state text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    microcredits_per_minor_unit bigint NOT NULL,
    checkout_url text COLLATE "C",
    created_at bigint NOT NULL,
    paid_at bigint
);
CREATE INDEX top_ups_by_account ON top_ups (account_id, id);

-- Payments by the processor's id, as it told last; what each bought, and what of that was taken back. Of one that is
-- not known yet there may be a refund or a dispute already.
CREATE TABLE payments (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" REFERENCES accounts (id),
    top_up_id text COLLATE "C" REFERENCES top_ups (id),
    state text COLLATE "C" NOT NULL,
    told_at bigint NOT NULL,
    amount bigint NOT NULL,
    tax bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    credited bigint NOT NULL CHECK (credited >= 0),
    taken bigint NOT NULL CHECK (taken >= 0 AND taken <= credited)
);
CREATE INDEX payments_by_top_up ON payments (top_up_id, id);

-- Refunds and disputes by the processor's id, as it told last.
CREATE TABLE reversals (
    processor_id text COLLATE "C" PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    account_id text COLLATE "C" REFERENCES accounts (id),
    payment_id text COLLATE "C" NOT NULL REFERENCES payments (id),
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    told_at bigint NOT NULL,
    -- None is the whole payment.
    amount bigint,
    currency text COLLATE "C",
    -- How often it has moved credits, which numbers the subjects of its transfers.
    movements bigint NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX reversals_by_payment ON reversals (payment_id, id);

-- Deliveries by the processor's id, so that none is taken twice.
CREATE TABLE webhooks (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" REFERENCES accounts (id),
    kind text COLLATE "C" NOT NULL,
    received_at bigint NOT NULL
);

-- What operators did, and why.
CREATE TABLE operator_acts (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" REFERENCES accounts (id),
    operator_key_id text COLLATE "C" NOT NULL,
    act text COLLATE "C" NOT NULL,
    subject text COLLATE "C",
    amount bigint,
    -- Sealed under the account's data key; in the open where the act is about no account.
    sealed_reason bytea,
    reason text COLLATE "C",
    created_at bigint NOT NULL
);
CREATE INDEX operator_acts_by_account ON operator_acts (account_id, id);
