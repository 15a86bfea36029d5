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
