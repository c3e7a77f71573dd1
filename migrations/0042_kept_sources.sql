-- Where the source of a deployment lies: under its own id, or under that of the deployment that it builds again. NULL for
-- those that are not built, and once the source is given up.
ALTER TABLE paas_deployments ADD COLUMN source_id uuid;

UPDATE paas_deployments SET source_id = id
WHERE status NOT IN ('succeeded', 'failed', 'cancelled') AND trigger IN ('push', 'webhook', 'api');

CREATE INDEX paas_deployments_sources ON paas_deployments (application_id, created_at) WHERE source_id IS NOT NULL;
