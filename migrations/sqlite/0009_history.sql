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

-- The history of an account, a period of it, and its months: transfers by their time.
CREATE INDEX transfers_by_time ON transfers (tenant, at, id);

-- What the last runs of a deployment cost, without their inputs and outputs: what one more may cost.
CREATE INDEX runs_charged ON runs (account_id, deployment_id, id, charged) WHERE status = 'finished';

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
