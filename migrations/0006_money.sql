-- Money: what ran at which price (metering), what an hour of it cost (usage), and the wallets it is paid from (ledger).

-- The price an app pays. It is taken from the plan when the plan is chosen; a later edit of the plan leaves it alone.
ALTER TABLE paas_applications ADD COLUMN price_per_hour numeric(12, 6) CHECK (price_per_hour >= 0);
UPDATE paas_applications AS app SET price_per_hour = plan.price_per_hour FROM paas_plans AS plan WHERE plan.id = app.plan_id;
ALTER TABLE paas_applications ALTER COLUMN price_per_hour SET NOT NULL;

CREATE FUNCTION paas_price_of_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.plan_id <> OLD.plan_id THEN
        SELECT price_per_hour INTO NEW.price_per_hour FROM paas_plans WHERE id = NEW.plan_id;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER paas_applications_price BEFORE INSERT OR UPDATE OF plan_id ON paas_applications
    FOR EACH ROW EXECUTE FUNCTION paas_price_of_plan();

-- Why an app is suspended, and what it was, so that it can be that again.
ALTER TABLE paas_applications ADD COLUMN suspended_reason text CHECK (suspended_reason IN ('wallet', 'admin'));
ALTER TABLE paas_applications ADD COLUMN suspended_from text;

CREATE FUNCTION paas_forget_suspension() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> 'suspended' THEN
        NEW.suspended_reason = NULL;
        NEW.suspended_from = NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER paas_applications_suspension BEFORE UPDATE OF status ON paas_applications
    FOR EACH ROW EXECUTE FUNCTION paas_forget_suspension();

-- What ran: one row for each time in which a process type ran unchanged. No foreign keys: it outlives the app.
CREATE TABLE paas_metering (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL,
    application_id  uuid NOT NULL,
    app_slug        text NOT NULL,
    process_type    text NOT NULL,
    plan_id         uuid NOT NULL,
    plan_name       text NOT NULL,
    price_per_hour  numeric(12, 6) NOT NULL CHECK (price_per_hour >= 0),
    replicas        integer NOT NULL CHECK (replicas > 0),
    started_at      timestamptz NOT NULL,
    -- Not known while it runs.
    ended_at        timestamptz CHECK (ended_at >= started_at),
    -- Up to here it has become usage rows.
    settled_until   timestamptz NOT NULL CHECK (settled_until >= started_at)
);
CREATE UNIQUE INDEX paas_metering_open ON paas_metering (application_id, process_type) WHERE ended_at IS NULL;
CREATE INDEX paas_metering_app ON paas_metering (application_id, started_at);
CREATE INDEX paas_metering_unsettled ON paas_metering (organization_id, application_id)
    WHERE ended_at IS NULL OR settled_until < ended_at;

CREATE FUNCTION paas_guard_metering() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.organization_id, OLD.application_id, OLD.app_slug, OLD.process_type, OLD.plan_id, OLD.plan_name,
        OLD.price_per_hour, OLD.replicas, OLD.started_at)
       IS DISTINCT FROM
       (NEW.organization_id, NEW.application_id, NEW.app_slug, NEW.process_type, NEW.plan_id, NEW.plan_name,
        NEW.price_per_hour, NEW.replicas, NEW.started_at)
       OR (OLD.ended_at IS NOT NULL AND OLD.ended_at IS DISTINCT FROM NEW.ended_at)
       OR NEW.settled_until < OLD.settled_until
    THEN
        RAISE EXCEPTION 'what ran cannot be changed afterwards' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER paas_metering_guard BEFORE UPDATE ON paas_metering
    FOR EACH ROW EXECUTE FUNCTION paas_guard_metering();
CREATE TRIGGER paas_metering_no_delete BEFORE DELETE ON paas_metering
    FOR EACH ROW EXECUTE FUNCTION paas_refuse_change();
CREATE TRIGGER paas_metering_no_truncate BEFORE TRUNCATE ON paas_metering
    FOR EACH STATEMENT EXECUTE FUNCTION paas_refuse_change();

-- An app that goes by a cascade, unmetered, must not be paid for ever.
CREATE FUNCTION paas_end_metering() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE paas_metering SET ended_at = greatest(now(), started_at, settled_until)
    WHERE application_id = OLD.id AND ended_at IS NULL;
    RETURN OLD;
END
$$;
CREATE TRIGGER paas_applications_metering BEFORE DELETE ON paas_applications
    FOR EACH ROW EXECUTE FUNCTION paas_end_metering();

-- When billing was switched on. An hour that lies in one of these wholly is charged.
CREATE TABLE paas_billing_periods (
    started_at timestamptz NOT NULL,
    ended_at   timestamptz CHECK (ended_at >= started_at)
);
CREATE UNIQUE INDEX paas_billing_periods_one_open ON paas_billing_periods ((true)) WHERE ended_at IS NULL;

CREATE FUNCTION paas_switch_billing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    switched_on boolean := TG_OP <> 'DELETE' AND NEW.value IN ('true'::jsonb, '"true"'::jsonb);
BEGIN
    IF switched_on THEN
        INSERT INTO paas_billing_periods (started_at) VALUES (now()) ON CONFLICT DO NOTHING;
    ELSE
        UPDATE paas_billing_periods SET ended_at = greatest(now(), started_at) WHERE ended_at IS NULL;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_settings_billing_set AFTER INSERT OR UPDATE ON paas_settings
    FOR EACH ROW WHEN (NEW.key = 'billing.enabled') EXECUTE FUNCTION paas_switch_billing();
CREATE TRIGGER paas_settings_billing_unset AFTER DELETE ON paas_settings
    FOR EACH ROW WHEN (OLD.key = 'billing.enabled') EXECUTE FUNCTION paas_switch_billing();

-- What an app's hour cost, by process type, plan and price. The costs of an hour add up to its one rounded charge.
CREATE TABLE paas_resource_usage (
    organization_id      uuid NOT NULL,
    application_id       uuid NOT NULL,
    app_slug             text NOT NULL,
    -- Its beginning, a full hour of UTC.
    hour                 timestamptz NOT NULL,
    process_type         text NOT NULL,
    plan_id              uuid NOT NULL,
    plan_name            text NOT NULL,
    price_per_hour       numeric(12, 6) NOT NULL,
    -- Replicas times the microseconds they ran.
    replica_microseconds bigint NOT NULL CHECK (replica_microseconds > 0),
    cost                 numeric(18, 6) NOT NULL CHECK (cost >= 0),
    -- Whether the ledger has it; not so while billing is off.
    charged              boolean NOT NULL,
    PRIMARY KEY (application_id, hour, process_type, plan_id, price_per_hour, organization_id)
);
CREATE INDEX paas_resource_usage_organization ON paas_resource_usage (organization_id, hour);
CREATE INDEX paas_resource_usage_hour ON paas_resource_usage (hour) INCLUDE (cost);
CREATE TRIGGER paas_resource_usage_append_only BEFORE UPDATE OR DELETE ON paas_resource_usage
    FOR EACH ROW EXECUTE FUNCTION paas_refuse_change();
CREATE TRIGGER paas_resource_usage_no_truncate BEFORE TRUNCATE ON paas_resource_usage
    FOR EACH STATEMENT EXECUTE FUNCTION paas_refuse_change();

-- The same added up by month, so that a page need not read a month of hours.
CREATE TABLE paas_usage_months (
    organization_id      uuid NOT NULL,
    -- First day, UTC.
    month                date NOT NULL,
    application_id       uuid NOT NULL,
    app_slug             text NOT NULL,
    process_type         text NOT NULL,
    plan_id              uuid NOT NULL,
    plan_name            text NOT NULL,
    price_per_hour       numeric(12, 6) NOT NULL,
    replica_microseconds numeric(30, 0) NOT NULL,
    cost                 numeric(18, 6) NOT NULL,
    charged              numeric(18, 6) NOT NULL,
    PRIMARY KEY (organization_id, month, application_id, process_type, plan_id, price_per_hour)
);
CREATE INDEX paas_usage_months_app ON paas_usage_months (application_id, month);
CREATE INDEX paas_usage_months_month ON paas_usage_months (month);

CREATE FUNCTION paas_add_up_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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
CREATE TRIGGER paas_resource_usage_add_up AFTER INSERT ON paas_resource_usage
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION paas_add_up_usage();

-- Every movement of a wallet. Append-only; no foreign keys: it outlives what it tells about.
CREATE TABLE wallet_ledger (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('top_up', 'charge', 'refund', 'adjustment')),
    -- What it adds to the balance.
    amount          numeric(18, 6) NOT NULL,
    balance_after   numeric(18, 6) NOT NULL,
    -- Of a charge: what for.
    application_id  uuid,
    app_slug        text,
    hour            timestamptz,
    -- Of all others: who did it and why.
    actor_id        uuid,
    actor           text,
    reference       text,
    note            text,
    occurred_at     timestamptz NOT NULL,
    CHECK (CASE kind WHEN 'charge' THEN amount < 0 WHEN 'adjustment' THEN amount <> 0 ELSE amount > 0 END),
    CHECK ((kind = 'charge') = (application_id IS NOT NULL AND hour IS NOT NULL AND app_slug IS NOT NULL)),
    CHECK (kind = 'charge' OR actor IS NOT NULL)
);
-- The last defence against charging an hour twice, after the locks and marks of the settlement. (An app that moved to
-- another organisation within an hour is charged to both, each for its part.)
CREATE UNIQUE INDEX wallet_ledger_charge ON wallet_ledger (application_id, hour, organization_id) WHERE kind = 'charge';
-- A payment's reference credits once.
CREATE UNIQUE INDEX wallet_ledger_reference ON wallet_ledger (organization_id, kind, reference)
    WHERE reference IS NOT NULL AND kind <> 'charge';
CREATE INDEX wallet_ledger_organization ON wallet_ledger (organization_id, id DESC);
CREATE INDEX wallet_ledger_time ON wallet_ledger (organization_id, occurred_at) WHERE kind <> 'charge';
CREATE TRIGGER wallet_ledger_append_only BEFORE UPDATE OR DELETE ON wallet_ledger
    FOR EACH ROW EXECUTE FUNCTION paas_refuse_change();
CREATE TRIGGER wallet_ledger_no_truncate BEFORE TRUNCATE ON wallet_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION paas_refuse_change();

-- The balance is the sum of the ledger: only this moves it, and every row's balance must follow from the one before.
CREATE FUNCTION wallet_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wallet record;
    before numeric(18, 6);
BEGIN
    FOR wallet IN SELECT organization_id, sum(amount) AS moved FROM added GROUP BY organization_id ORDER BY organization_id LOOP
        UPDATE organizations SET wallet_balance = wallet_balance + wallet.moved WHERE id = wallet.organization_id
        RETURNING wallet_balance - wallet.moved INTO before;
        IF before IS NULL THEN
            RAISE EXCEPTION 'organisation % has no wallet', wallet.organization_id USING ERRCODE = 'foreign_key_violation';
        END IF;
        IF EXISTS (
            SELECT 1 FROM (
                SELECT balance_after, before + sum(amount) OVER (ORDER BY id) AS expected
                FROM added WHERE organization_id = wallet.organization_id
            ) AS chain WHERE balance_after <> expected
        ) THEN
            RAISE EXCEPTION 'balance_after does not follow from the ledger' USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER wallet_ledger_move AFTER INSERT ON wallet_ledger
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wallet_move();

CREATE FUNCTION wallet_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.wallet_balance <> 0 THEN
            RAISE EXCEPTION 'a wallet begins empty' USING ERRCODE = 'restrict_violation';
        END IF;
    -- One deep is a statement's own update; the ledger's trigger makes it two.
    ELSIF NEW.wallet_balance <> OLD.wallet_balance AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'a wallet is moved by its ledger only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
-- Balances of before the ledger: none was ever used; they begin empty like all.
UPDATE organizations SET wallet_balance = 0 WHERE wallet_balance <> 0;
CREATE TRIGGER organizations_wallet BEFORE INSERT OR UPDATE OF wallet_balance ON organizations
    FOR EACH ROW EXECUTE FUNCTION wallet_guard();

-- The lowest threshold, in hours of the current use, at which a low balance was told; none since the last top-up.
ALTER TABLE organizations ADD COLUMN low_balance_told_hours integer;

CREATE INDEX IF NOT EXISTS paas_events_organization ON paas_events (organization_id, id DESC);
