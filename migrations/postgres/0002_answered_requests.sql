-- Requests that were made under an Idempotency-Key, so that each is done once. A key is its caller's own, an
-- account's or an operator's; the row, and the answer that it holds, are the account's that the request was about.
CREATE TABLE answered_requests (
    caller_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    request_digest bytea NOT NULL,
    subject text COLLATE "C" NOT NULL,
    sealed_answer bytea,
    created_at bigint NOT NULL,
    PRIMARY KEY (caller_id, name)
);

INSERT INTO answered_requests (caller_id, name, account_id, request_digest, subject, created_at)
SELECT account_id, name, account_id, request_digest, subject, created_at FROM idempotency_keys;

DROP TABLE idempotency_keys;
