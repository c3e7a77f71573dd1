-- How long what was charged for ran, beside how long all did: billing may have been off for a part of a month.
ALTER TABLE paas_usage_months ADD COLUMN charged_microseconds numeric(30, 0) NOT NULL DEFAULT 0;
UPDATE paas_usage_months AS month SET charged_microseconds = used.microseconds
FROM (
    SELECT organization_id, date_trunc('month', hour AT TIME ZONE 'UTC')::date AS month, application_id, process_type,
        plan_id, price_per_hour, sum(replica_microseconds) AS microseconds
    FROM paas_resource_usage WHERE charged GROUP BY 1, 2, application_id, process_type, plan_id, price_per_hour
) AS used
WHERE (month.organization_id, month.month, month.application_id, month.process_type, month.plan_id, month.price_per_hour)
    = (used.organization_id, used.month, used.application_id, used.process_type, used.plan_id, used.price_per_hour);

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
    INSERT INTO paas_usage_months AS month (organization_id, month, application_id, app_slug, process_type, plan_id,
        plan_name, price_per_hour, replica_microseconds, cost, charged, charged_microseconds)
    SELECT organization_id, date_trunc('month', hour AT TIME ZONE 'UTC')::date, application_id, max(app_slug),
           process_type, plan_id, max(plan_name), price_per_hour, sum(replica_microseconds), sum(cost),
           coalesce(sum(cost) FILTER (WHERE charged), 0), coalesce(sum(replica_microseconds) FILTER (WHERE charged), 0)
    FROM added
    GROUP BY 1, 2, application_id, process_type, plan_id, price_per_hour
    ON CONFLICT (organization_id, month, application_id, process_type, plan_id, price_per_hour) DO UPDATE SET
        app_slug = excluded.app_slug,
        plan_name = excluded.plan_name,
        replica_microseconds = month.replica_microseconds + excluded.replica_microseconds,
        cost = month.cost + excluded.cost,
        charged = month.charged + excluded.charged,
        charged_microseconds = month.charged_microseconds + excluded.charged_microseconds;
    RETURN NULL;
END
$$;

-- A payment credits once, whichever organisation it is written to; other references are an organisation's own.
DROP INDEX wallet_ledger_reference;
CREATE UNIQUE INDEX wallet_ledger_payment ON wallet_ledger (reference) WHERE reference IS NOT NULL AND kind = 'top_up';
CREATE UNIQUE INDEX wallet_ledger_reference ON wallet_ledger (organization_id, kind, reference)
    WHERE reference IS NOT NULL AND kind IN ('refund', 'adjustment');
