-- What deployments change beside the release before them: read from the repository while they begin, since only the
-- receiver or worker at hand has that, and since its history can be rewritten later.
CREATE TABLE paas_deployment_changes (
    deployment_id  uuid PRIMARY KEY REFERENCES paas_deployments (id) ON DELETE CASCADE,
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    -- What the app ran before; none where nothing was released.
    base_version   integer,
    base_commit    text,
    -- Why it is not known.
    missing        text,
    -- Not jsonb: it is only ever read as a whole.
    changes        json,
    created_at     timestamptz NOT NULL,
    CHECK ((missing IS NULL) = (changes IS NOT NULL))
);
CREATE INDEX paas_deployment_changes_newest ON paas_deployment_changes (application_id, created_at DESC);
