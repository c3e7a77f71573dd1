-- Limits of an organisation where they differ from the platform's settings; null: as those.

ALTER TABLE organizations
    ADD COLUMN max_apps integer CHECK (max_apps >= 0),
    ADD COLUMN max_deployments_per_hour integer CHECK (max_deployments_per_hour >= 0),
    ADD COLUMN max_concurrent_builds integer CHECK (max_concurrent_builds >= 1);

-- What is being built or waits for it: few of the many deployments there are.
CREATE INDEX paas_deployments_unfinished ON paas_deployments (application_id, created_at)
    WHERE status NOT IN ('succeeded', 'failed', 'cancelled');
