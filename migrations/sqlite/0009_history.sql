-- Metadata of requests: one row for each that came with an account's key. The id holds the time. Neither the address
-- nor the user agent of whoever made it is here.
CREATE TABLE requests (
    account_id TEXT NOT NULL,
    id TEXT NOT NULL,
    api_key_id TEXT NOT NULL,
    method TEXT NOT NULL,
    route TEXT NOT NULL,
    status INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

-- The months of an account: what moved between it and others. Holds and releases stay within it, and are two of the
-- three transfers of a run.
CREATE INDEX transfers_by_time ON transfers (tenant, at) WHERE verb NOT IN ('hold', 'release');

-- Monthly statements, never changed once they are issued, and numbered without a gap. Like the transfers that they sum
-- up they name the tenant alone, so that they can be kept when the account is gone.
CREATE TABLE statements (
    number INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    closing INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (tenant, period_end)
) STRICT;

-- The last number that was given, in the commit of what it was given to.
CREATE TABLE statement_numbers (
    series TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
INSERT INTO statement_numbers (series, last) VALUES ('statements', 0);
