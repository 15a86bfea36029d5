-- The region that an account's data stays in. None is served by every host.
ALTER TABLE accounts ADD COLUMN region TEXT;
