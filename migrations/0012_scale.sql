-- What keeps answers quick when there are many apps with a long past: no query reads a big table as a whole.

-- What was used, added up by day, so that neither a day of all apps nor a hundred days of one organisation are read hour
-- by hour. Rows of the current day change every hour: the room left in pages keeps that cheap.
CREATE TABLE paas_usage_days (
    organization_id      uuid NOT NULL,
    -- Of UTC.
    day                  date NOT NULL,
    application_id       uuid NOT NULL,
    app_slug             text NOT NULL,
    process_type         text NOT NULL,
    plan_id              uuid NOT NULL,
    plan_name            text NOT NULL,
    price_per_hour       numeric(12, 6) NOT NULL,
    replica_microseconds numeric(30, 0) NOT NULL,
    cost                 numeric(18, 6) NOT NULL,
    charged              numeric(18, 6) NOT NULL,
    PRIMARY KEY (organization_id, day, application_id, process_type, plan_id, price_per_hour)
) WITH (fillfactor = 80);
CREATE INDEX paas_usage_days_app ON paas_usage_days (application_id, day);
CREATE INDEX paas_usage_days_day ON paas_usage_days (day);
DROP INDEX paas_resource_usage_hour;

INSERT INTO paas_usage_days
SELECT organization_id, (hour AT TIME ZONE 'UTC')::date, application_id, max(app_slug), process_type, plan_id, max(plan_name),
    price_per_hour, sum(replica_microseconds), sum(cost), coalesce(sum(cost) FILTER (WHERE charged), 0)
FROM paas_resource_usage GROUP BY 1, 2, application_id, process_type, plan_id, price_per_hour;

CREATE OR REPLACE FUNCTION paas_add_up_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO paas_usage_days AS day
    SELECT organization_id, (hour AT TIME ZONE 'UTC')::date, application_id, max(app_slug), process_type, plan_id,
           max(plan_name), price_per_hour, sum(replica_microseconds), sum(cost),
           coalesce(sum(cost) FILTER (WHERE charged), 0)
    FROM added
    GROUP BY 1, 2, application_id, process_type, plan_id, price_per_hour
    ON CONFLICT (organization_id, day, application_id, process_type, plan_id, price_per_hour) DO UPDATE SET
        app_slug = excluded.app_slug,
        plan_name = excluded.plan_name,
        replica_microseconds = day.replica_microseconds + excluded.replica_microseconds,
        cost = day.cost + excluded.cost,
        charged = day.charged + excluded.charged;
    INSERT INTO paas_usage_months AS month
    SELECT organization_id, date_trunc('month', hour AT TIME ZONE 'UTC')::date, application_id, max(app_slug),
           process_type, plan_id, max(plan_name), price_per_hour, sum(replica_microseconds), sum(cost),
           coalesce(sum(cost) FILTER (WHERE charged), 0)
    FROM added
    GROUP BY 1, 2, application_id, process_type, plan_id, price_per_hour
    ON CONFLICT (organization_id, month, application_id, process_type, plan_id, price_per_hour) DO UPDATE SET
        app_slug = excluded.app_slug,
        plan_name = excluded.plan_name,
        replica_microseconds = month.replica_microseconds + excluded.replica_microseconds,
        cost = month.cost + excluded.cost,
        charged = month.charged + excluded.charged;
    RETURN NULL;
END
$$;

-- Where an app or a user goes, all that refers to it is looked for.
CREATE INDEX paas_applications_current_deployment ON paas_applications (current_deployment_id)
    WHERE current_deployment_id IS NOT NULL;
CREATE INDEX paas_deployments_created_by ON paas_deployments (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX paas_events_user ON paas_events (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX paas_webhooks_created_by ON paas_webhooks (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX organization_invitations_invited_by ON organization_invitations (invited_by) WHERE invited_by IS NOT NULL;
CREATE INDEX device_logins_user ON device_logins (user_id) WHERE user_id IS NOT NULL;

-- The few apps that are held, among all of an organisation.
CREATE INDEX paas_applications_held ON paas_applications (organization_id, suspended_reason)
    WHERE suspended_reason IS NOT NULL;

-- Up to when all of an organisation is settled.
CREATE INDEX paas_metering_settled ON paas_metering (organization_id, settled_until)
    WHERE ended_at IS NULL OR settled_until < ended_at;

-- The few admins among all users.
CREATE INDEX users_admins ON users (id) WHERE is_admin;

-- What clean-up looks for.
CREATE INDEX paas_streams_closed ON paas_streams (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX paas_build_cache_used ON paas_build_cache (last_used_at);
CREATE INDEX paas_build_cache_blob ON paas_build_cache (blob_digest);
CREATE INDEX paas_deployments_image ON paas_deployments (image_digest) WHERE image_digest IS NOT NULL AND pruned_at IS NULL;

-- Certificates in the order in which they are looked at.
CREATE INDEX paas_domains_certificates ON paas_domains (ssl_checked_at NULLS FIRST, id) WHERE status = 'active';
