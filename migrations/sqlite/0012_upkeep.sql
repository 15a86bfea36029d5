-- Letters are taken in the order of their turns: those with a link an hour ahead, others of one account apart from each
-- other, so that nobody's letters wait for all of another's.
ALTER TABLE letters ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
-- Whom a letter goes to that an account lets us send to a stranger, as the keyed digest by which addresses are found.
ALTER TABLE letters ADD COLUMN recipient_lookup BLOB;
UPDATE letters SET turn = created_at;
CREATE INDEX letters_by_turn ON letters (turn, id, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX letters_of_account ON letters (account_id, turn) WHERE state = 'waiting';
CREATE INDEX letters_to_stranger ON letters (recipient_lookup, created_at) WHERE recipient_lookup IS NOT NULL;
CREATE INDEX letters_to_strangers ON letters (account_id, created_at) WHERE recipient_lookup IS NOT NULL;

-- What is deleted when it was kept long enough, found by its age.
CREATE INDEX webhooks_by_age ON webhooks (received_at);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_expired ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX statements_by_age ON statements (period_end);
CREATE INDEX top_ups_by_age ON top_ups (created_at);
CREATE INDEX payments_by_age ON payments (told_at);
CREATE INDEX operator_acts_by_age ON operator_acts (created_at);
CREATE INDEX monthly_grants_by_month ON monthly_grants (month);

-- What the payments of each tenant bought, less what was taken back, that are deleted: the ledger is verified against
-- that and against those that are left. It names the tenant alone, as the transfers do.
CREATE TABLE forgotten_payments (
    tenant INTEGER PRIMARY KEY,
    bought INTEGER NOT NULL
) STRICT;

-- Credits that accounts buy by themselves when their balance falls below a threshold, once for each crossing: the
-- mandate, the top-up that is on its way, and which top-ups were bought so.
CREATE TABLE auto_top_ups (
    account_id TEXT PRIMARY KEY REFERENCES accounts (id),
    -- What the processor is told; another one for each mandate.
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    threshold INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    monthly_cap INTEGER NOT NULL,
    mandate TEXT,
    page_url TEXT,
    armed INTEGER NOT NULL,
    charging TEXT,
    off_because TEXT,
    changed_at INTEGER NOT NULL
) STRICT;
ALTER TABLE top_ups ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;
