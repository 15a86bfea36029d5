-- What an account has is found by an index in every table, so that its erasure keeps nobody waiting.
CREATE INDEX agent_versions_account ON agent_versions (account_id);
CREATE INDEX agents_account ON agents (account_id);
CREATE INDEX answered_requests_account ON answered_requests (account_id);
CREATE INDEX deployment_revisions_account ON deployment_revisions (account_id);
CREATE INDEX deployments_account ON deployments (account_id);
CREATE INDEX holds_account ON holds (account_id);
CREATE INDEX payments_account ON payments (account_id);
CREATE INDEX reversals_account ON reversals (account_id);
CREATE INDEX webhooks_account ON webhooks (account_id);

-- What is old enough to go is found by its age.
CREATE INDEX answered_requests_age ON answered_requests (created_at);

-- So are the rows that name one which goes.
CREATE INDEX deployment_revisions_agent ON deployment_revisions (agent_id);
CREATE INDEX breach_accounts_breach ON breach_accounts (breach_id);
CREATE INDEX export_parts_export ON export_parts (export_id);
CREATE INDEX mailed_mailing ON mailed (mailing_id);
