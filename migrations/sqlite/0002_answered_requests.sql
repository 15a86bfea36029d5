-- Requests that were made under an Idempotency-Key, so that each is done once. A key is its caller's own, an
-- account's or an operator's; the row, and the answer that it holds, are the account's that the request was about.
CREATE TABLE answered_requests (
    caller_id TEXT NOT NULL,
    name TEXT NOT NULL,
    account_id TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    subject TEXT NOT NULL,
    sealed_answer BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller_id, name)
) STRICT;

INSERT INTO answered_requests (caller_id, name, account_id, request_digest, subject, created_at)
SELECT account_id, name, account_id, request_digest, subject, created_at FROM idempotency_keys;

DROP TABLE idempotency_keys;
