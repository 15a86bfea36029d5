-- Caps on what is spent in a day (UTC): an account's own, and a deployment's.
ALTER TABLE accounts ADD COLUMN daily_spend bigint;
ALTER TABLE deployment_revisions ADD COLUMN daily_spend bigint;

-- What was spent on the last day on which a run was admitted under a cap: a run counts with its hold, and with its charge
-- once it is settled. The account's own row names no deployment. Read and written behind the lock of its balance.
CREATE TABLE spending (
    account_id text COLLATE "C" NOT NULL REFERENCES accounts (id),
    deployment_id text COLLATE "C" NOT NULL,
    day bigint NOT NULL,
    spent bigint NOT NULL,
    PRIMARY KEY (account_id, deployment_id)
);
