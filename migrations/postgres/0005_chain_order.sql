-- Every transfer has a place of its own in its host's chain: a chain can't fork, and is read in its order.
CREATE UNIQUE INDEX transfers_by_chain ON transfers (host_id, host_sequence);
