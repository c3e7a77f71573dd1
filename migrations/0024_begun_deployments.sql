-- Deployments that were begun within the last hour, apart from the apps they are of: the limit on their number holds
-- though an app is destroyed.
CREATE TABLE paas_begun_deployments (
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    begun_at        timestamptz NOT NULL
);
CREATE INDEX paas_begun_deployments_organization ON paas_begun_deployments (organization_id, begun_at);

INSERT INTO paas_begun_deployments (organization_id, begun_at)
SELECT app.organization_id, deployment.created_at
FROM paas_deployments AS deployment JOIN paas_applications AS app ON app.id = deployment.application_id
WHERE deployment.created_at > now() - interval '1 hour' AND deployment.trigger <> 'rollback';
