-- Apps, what they run, their releases and their configuration.

CREATE TABLE paas_plans (
    id             uuid PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    cpu_cores      numeric(6, 2) NOT NULL CHECK (cpu_cores > 0),
    ram_mb         integer NOT NULL CHECK (ram_mb > 0),
    disk_gb        integer NOT NULL CHECK (disk_gb > 0),
    max_replicas   integer NOT NULL CHECK (max_replicas > 0),
    price_per_hour numeric(12, 6) NOT NULL CHECK (price_per_hour >= 0),
    features       jsonb NOT NULL DEFAULT '{}',
    position       integer NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now()
);

INSERT INTO paas_plans (id, name, cpu_cores, ram_mb, disk_gb, max_replicas, price_per_hour, position) VALUES
    ('00000000-0000-4000-8000-000000000001', 'hobby',    0.5,  512,  10,  1, 0.0069, 1),
    ('00000000-0000-4000-8000-000000000002', 'standard', 1,   1024,  20,  3, 0.0347, 2),
    ('00000000-0000-4000-8000-000000000003', 'pro',      2,   2048,  50, 10, 0.0694, 3),
    ('00000000-0000-4000-8000-000000000004', 'business', 4,   4096, 100, 20, 0.1389, 4);

CREATE TABLE paas_settings (
    key          text PRIMARY KEY,
    -- Plain JSON, or {"sealed": "<base64>"} for a sensitive one.
    value        jsonb NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE paas_applications (
    id                uuid PRIMARY KEY,
    organization_id   uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name              text NOT NULL,
    slug              text NOT NULL UNIQUE,
    subdomain         text NOT NULL UNIQUE,
    git_url           text,
    git_branch        text NOT NULL DEFAULT 'main',
    buildpack         text,
    stack             text NOT NULL DEFAULT 'skypanel-12',
    status            text NOT NULL DEFAULT 'inactive' CHECK (status IN
        ('inactive', 'building', 'deploying', 'running', 'stopped', 'failed', 'suspended', 'deleting')),
    plan_id           uuid NOT NULL REFERENCES paas_plans (id) ON DELETE RESTRICT,
    -- Of the routed (web) process; `paas_process_formation` holds all of them.
    replicas          integer NOT NULL DEFAULT 1 CHECK (replicas >= 0),
    health_check_path text,
    auto_deploy       boolean NOT NULL DEFAULT false,
    -- What should run: the release, its config version and how often it was told to restart.
    current_deployment_id uuid,
    config_version    integer NOT NULL DEFAULT 0,
    restart_count     integer NOT NULL DEFAULT 0,
    last_version      integer NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX paas_applications_org_status ON paas_applications (organization_id, status);
CREATE INDEX paas_applications_plan ON paas_applications (plan_id);

CREATE FUNCTION paas_touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$;
CREATE TRIGGER paas_applications_touch BEFORE UPDATE ON paas_applications
    FOR EACH ROW EXECUTE FUNCTION paas_touch_updated_at();

CREATE TABLE paas_process_formation (
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    process_type   text NOT NULL,
    replicas       integer NOT NULL CHECK (replicas >= 0),
    PRIMARY KEY (application_id, process_type)
);

CREATE TABLE paas_deployments (
    id              uuid PRIMARY KEY,
    application_id  uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    -- Release number, `v12`; given when the build succeeded, so a failed build uses none up.
    version         integer,
    status          text NOT NULL CHECK (status IN
        ('queued', 'building', 'packaging', 'releasing', 'deploying', 'succeeded', 'failed', 'cancelled')),
    trigger         text NOT NULL CHECK (trigger IN ('push', 'rollback', 'config', 'webhook', 'api')),
    git_branch      text,
    git_commit      text,
    git_message     text,
    git_author      text,
    no_cache        boolean NOT NULL DEFAULT false,
    description     text,
    -- The release whose artifact this one runs again (rollback and config changes).
    parent_id       uuid REFERENCES paas_deployments (id) ON DELETE SET NULL,
    -- The artifact: an image manifest and, but for Dockerfile builds, the slug in it.
    image_digest    text,
    slug_digest     text,
    slug_bytes      bigint,
    buildpack       text,
    process_types   jsonb,
    config_version  integer,
    error_code      text,
    error           text,
    created_by      uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    -- When clean-up dropped the artifact: the row stays as history, a rollback to it is refused.
    pruned_at       timestamptz,
    UNIQUE (application_id, version)
);
CREATE INDEX paas_deployments_app_status ON paas_deployments (application_id, status);
CREATE INDEX paas_deployments_app_created ON paas_deployments (application_id, created_at DESC);
CREATE INDEX paas_deployments_slug ON paas_deployments (slug_digest) WHERE slug_digest IS NOT NULL;
CREATE INDEX paas_deployments_parent ON paas_deployments (parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE paas_applications ADD CONSTRAINT paas_applications_current_deployment_fkey
    FOREIGN KEY (current_deployment_id) REFERENCES paas_deployments (id) ON DELETE SET NULL;

CREATE TABLE paas_deployment_stages (
    deployment_id uuid NOT NULL REFERENCES paas_deployments (id) ON DELETE CASCADE,
    stage         text NOT NULL CHECK (stage IN ('receive', 'build', 'package', 'release', 'deploy')),
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    failed        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (deployment_id, stage)
);

CREATE TABLE paas_environment_vars (
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    key            text NOT NULL CHECK (key ~ '^[A-Z_][A-Z0-9_]*$'),
    value          bytea NOT NULL,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (application_id, key)
);

CREATE TABLE paas_build_cache (
    id             uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    -- SHA-256 over what makes the cache valid: app, buildpack, stack.
    cache_key      text NOT NULL,
    blob_digest    text NOT NULL,
    bytes          bigint NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_used_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (application_id, cache_key)
);

-- What happened to an app, for people: released v12, scaled, stopped, …
CREATE TABLE paas_events (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid REFERENCES organizations (id) ON DELETE CASCADE,
    application_id uuid REFERENCES paas_applications (id) ON DELETE CASCADE,
    user_id        uuid REFERENCES users (id) ON DELETE SET NULL,
    kind           text NOT NULL,
    message        text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX paas_events_app ON paas_events (application_id, id DESC);
