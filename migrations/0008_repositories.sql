-- Repositories elsewhere that apps are built from, and the webhooks by which their hosts tell of pushes.
-- The address, the branch and whether to deploy by itself lie in paas_applications.

CREATE TABLE paas_repositories (
    application_id     uuid PRIMARY KEY REFERENCES paas_applications (id) ON DELETE CASCADE,
    -- For HTTPS, and for the host's API; sealed.
    token              bytea,
    token_username     text,
    -- Ed25519, OpenSSH form; the private half sealed.
    deploy_key_public  text,
    deploy_key_private bytea,
    -- Lines of a known_hosts file without the host: `ssh-ed25519 AAAA…`.
    host_keys          text,
    -- Whether a user gave them; else they are what the host showed first.
    host_keys_given    boolean NOT NULL DEFAULT false,
    -- What the host is, for its API: told by the user or guessed.
    host_kind          text CHECK (host_kind IN ('github', 'gitlab', 'gitea')),
    -- Whether commits are marked with how their deployment went.
    report_status      boolean NOT NULL DEFAULT true,
    -- When the address was last seen to work.
    verified_at        timestamptz,
    CHECK ((deploy_key_public IS NULL) = (deploy_key_private IS NULL))
);

-- What a deployment is to be fetched from; none for a push and for an uploaded archive.
CREATE TABLE paas_deployment_sources (
    deployment_id uuid PRIMARY KEY REFERENCES paas_deployments (id) ON DELETE CASCADE,
    git_url       text NOT NULL,
    git_branch    text NOT NULL,
    -- The commit that was asked for; none for the branch's newest.
    git_commit    text
);

CREATE TABLE paas_webhooks (
    id               uuid PRIMARY KEY,
    application_id   uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    provider         text NOT NULL CHECK (provider IN ('github', 'gitlab', 'gitea', 'generic')),
    -- The last part of its address; says which webhook it is and proves nothing.
    token            text NOT NULL UNIQUE,
    -- Sealed. After a rotation the old one holds for a while.
    secret           bytea NOT NULL,
    old_secret       bytea,
    old_secret_until timestamptz,
    created_by       uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at       timestamptz NOT NULL,
    last_delivery_at timestamptz
);
CREATE INDEX paas_webhooks_app ON paas_webhooks (application_id, created_at);

CREATE TABLE paas_webhook_deliveries (
    id             uuid PRIMARY KEY,
    webhook_id     uuid NOT NULL REFERENCES paas_webhooks (id) ON DELETE CASCADE,
    -- The host's name for it.
    delivery       text NOT NULL,
    -- SHA-256 of what was signed, where the host signs: its name for a delivery is not part of that.
    signed_digest  text,
    event          text NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('deployed', 'ignored', 'failed', 'ping')),
    reason         text NOT NULL,
    -- What it told: branch, commit, message, author.
    push           jsonb,
    deployment_id  uuid REFERENCES paas_deployments (id) ON DELETE SET NULL,
    replay_of      uuid REFERENCES paas_webhook_deliveries (id) ON DELETE SET NULL,
    received_at    timestamptz NOT NULL,
    UNIQUE (webhook_id, delivery)
);
CREATE UNIQUE INDEX paas_webhook_deliveries_signed ON paas_webhook_deliveries (webhook_id, signed_digest);
CREATE INDEX paas_webhook_deliveries_newest ON paas_webhook_deliveries (webhook_id, received_at DESC, id DESC);
CREATE INDEX paas_webhook_deliveries_deployment ON paas_webhook_deliveries (deployment_id) WHERE deployment_id IS NOT NULL;
CREATE INDEX paas_webhook_deliveries_replay ON paas_webhook_deliveries (replay_of) WHERE replay_of IS NOT NULL;
