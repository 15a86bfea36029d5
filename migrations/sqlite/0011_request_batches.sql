-- Metadata of requests in batches: a row for what came with an account's keys in about a second, or a few hundred
-- requests of a busy one. A row for each request would cost a run as much as its own did.
CREATE TABLE request_batches (
    account_id TEXT NOT NULL,
    last_id TEXT NOT NULL,
    first_id TEXT NOT NULL,
    -- JSON: for each request, latest first, [id, api key, method, route, status, microseconds].
    requests TEXT NOT NULL,
    PRIMARY KEY (account_id, last_id, first_id)
) STRICT;

INSERT INTO request_batches (account_id, last_id, first_id, requests)
SELECT account_id, id, id, json_array(json_array(id, api_key_id, method, route, status, duration_us)) FROM requests;

DROP TABLE requests;
