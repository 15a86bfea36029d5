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
