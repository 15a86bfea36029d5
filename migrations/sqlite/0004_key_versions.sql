-- Versions of the master keys, and which of them wraps each data key. The keys themselves are in no database.

-- A master key is ready, and wraps, once every host has it. A retired one has no row: the reference from
-- data_keys lets nobody remove one that is needed, or wrap with one that was removed.
CREATE TABLE master_keys (
    version INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ready_at INTEGER
) STRICT;

-- What was wrapped until now was wrapped by the first master key, whose fingerprint a host fills in.
INSERT INTO master_keys (version, fingerprint, created_at, ready_at)
    SELECT 1, '', MIN(created_at), MIN(created_at) FROM data_keys HAVING COUNT(*) > 0;

ALTER TABLE data_keys RENAME TO data_keys_before;
CREATE TABLE data_keys (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    version INTEGER NOT NULL,
    master_version INTEGER NOT NULL REFERENCES master_keys (version),
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, version)
) STRICT;
INSERT INTO data_keys (account_id, version, master_version, wrapped, created_at)
    SELECT account_id, version, 1, wrapped, created_at FROM data_keys_before;
DROP TABLE data_keys_before;
CREATE INDEX data_keys_by_master ON data_keys (master_version, account_id, version);

-- The newest master key that the host has.
ALTER TABLE hosts ADD COLUMN master_version INTEGER NOT NULL DEFAULT 1;
