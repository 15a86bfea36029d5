-- Metadata of requests: one row for each that came with an account's key. The id holds the time. Neither the address
-- nor the user agent of whoever made it is here.
CREATE TABLE requests (
    account_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    api_key_id text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    status bigint NOT NULL,
    duration_us bigint NOT NULL,
    PRIMARY KEY (account_id, id)
);

-- The months of an account: what moved between it and others. Holds and releases stay within it, and are two of the
-- three transfers of a run.
CREATE INDEX transfers_by_time ON transfers (tenant, at) WHERE verb NOT IN ('hold', 'release');

-- Monthly statements, never changed once they are issued, and numbered without a gap. Like the transfers that they sum
-- up they name the tenant alone, so that they can be kept when the account is gone.
CREATE TABLE statements (
    number bigint PRIMARY KEY,
    tenant bigint NOT NULL,
    period_end bigint NOT NULL,
    closing bigint NOT NULL,
    document text COLLATE "C" NOT NULL,
    UNIQUE (tenant, period_end)
);

-- The last number that was given, in the commit of what it was given to.
CREATE TABLE statement_numbers (
    series text COLLATE "C" PRIMARY KEY,
    last bigint NOT NULL
);
INSERT INTO statement_numbers (series, last) VALUES ('statements', 0);
