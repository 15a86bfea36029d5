-- What a key may do, from where and for how long. Keys that exist may do everything, as before.
ALTER TABLE api_keys ADD COLUMN scopes text COLLATE "C" NOT NULL DEFAULT '*';
ALTER TABLE api_keys ADD COLUMN addresses text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN expires_at bigint;
ALTER TABLE api_keys ADD COLUMN last_used_at bigint;
