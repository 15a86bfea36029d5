-- How many days a deployment's runs keep their logs, and their inputs, outputs and errors, where that is less than the
-- plan says. The present revision's holds for all of its runs, older ones too.
ALTER TABLE deployment_revisions ADD COLUMN log_days INTEGER;
ALTER TABLE deployment_revisions ADD COLUMN content_days INTEGER;
CREATE INDEX deployment_revisions_logs ON deployment_revisions (deployment_id, revision) WHERE log_days IS NOT NULL;
CREATE INDEX deployment_revisions_contents ON deployment_revisions (deployment_id, revision)
WHERE content_days IS NOT NULL;
-- Before which run that is done, so that no run is looked at twice.
ALTER TABLE deployments ADD COLUMN logs_until TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN contents_until TEXT NOT NULL DEFAULT '';

-- Holds: a duty to keep what is there of an account for now, however old it is, and though its owner deletes it.
CREATE TABLE holds (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    -- Why it was set, and why it was lifted: for operators alone.
    sealed_reason BLOB NOT NULL,
    sealed_lift_reason BLOB,
    created_at INTEGER NOT NULL,
    -- When it ends by itself; none when it is to be lifted.
    expires_at INTEGER,
    ended_at INTEGER
) STRICT;
CREATE INDEX holds_on ON holds (account_id) WHERE ended_at IS NULL;
