-- On what terms apps run. What an app asks for is in its own row; what has been rolled out, and what is being rolled
-- out, are here until the one becomes the other or is taken back.
CREATE TABLE paas_app_terms (
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    state          text NOT NULL CHECK (state IN ('applied', 'applying')),
    plan_id        uuid NOT NULL REFERENCES paas_plans (id),
    price_per_hour numeric(12, 6) NOT NULL CHECK (price_per_hour >= 0),
    -- Replicas by process type, as scaled.
    scaled         jsonb NOT NULL,
    PRIMARY KEY (application_id, state)
);
CREATE INDEX paas_app_terms_plan ON paas_app_terms (plan_id);

INSERT INTO paas_app_terms (application_id, state, plan_id, price_per_hour, scaled)
SELECT id, 'applied', plan_id, price_per_hour,
    (SELECT coalesce(jsonb_object_agg(process_type, replicas), '{}') FROM paas_process_formation WHERE application_id = app.id)
FROM paas_applications AS app
WHERE current_deployment_id IS NOT NULL AND status NOT IN ('inactive', 'stopped', 'suspended', 'deleting');
