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
