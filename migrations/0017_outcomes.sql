-- How deployments and their stages ended, counted from the beginning on: what is counted here never goes down, also
-- when apps are destroyed.

CREATE TABLE paas_outcomes (
    -- `deployment`, or `stage`.
    kind    text NOT NULL,
    -- What set the deployment off, or which stage it is.
    name    text NOT NULL,
    outcome text NOT NULL,
    count   bigint NOT NULL,
    -- How long they took together.
    seconds double precision NOT NULL,
    -- How many of them took up to each of paas_outcome_bounds(), and longer than the one before it.
    buckets bigint[] NOT NULL,
    PRIMARY KEY (kind, name, outcome)
);

-- In seconds.
CREATE FUNCTION paas_outcome_bounds() RETURNS double precision[] LANGUAGE sql IMMUTABLE AS
$$ SELECT ARRAY [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800]::double precision[] $$;

CREATE FUNCTION paas_count_outcome(of_kind text, of_name text, ended text, took interval) RETURNS void LANGUAGE sql AS $$
    WITH this AS (
        SELECT greatest(extract(epoch FROM took), 0)::double precision AS seconds
    ), bucket AS (
        SELECT place, (CASE WHEN seconds <= bound AND (place = 1 OR seconds > bounds[place - 1]) THEN 1 ELSE 0 END)::bigint AS one
        FROM this, paas_outcome_bounds() AS bounds, unnest(bounds) WITH ORDINALITY AS of_bounds (bound, place)
    )
    INSERT INTO paas_outcomes AS known (kind, name, outcome, count, seconds, buckets)
    SELECT of_kind, of_name, ended, 1, this.seconds, (SELECT array_agg(one ORDER BY place) FROM bucket) FROM this
    ON CONFLICT (kind, name, outcome) DO UPDATE SET
        count = known.count + 1, seconds = known.seconds + excluded.seconds,
        buckets = (SELECT array_agg(a + b ORDER BY place)
                   FROM unnest(known.buckets, excluded.buckets) WITH ORDINALITY AS both_of (a, b, place))
$$;

-- Counted at the end of the transaction, one transaction after the other: several that end at once touch the same few
-- rows, and would do so in any order.
CREATE FUNCTION paas_deployment_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('paas_outcomes'));
    PERFORM paas_count_outcome('deployment', NEW.trigger, NEW.status, NEW.finished_at - NEW.created_at);
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER paas_deployment_ended AFTER UPDATE OF finished_at ON paas_deployments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION paas_deployment_ended();

CREATE FUNCTION paas_stage_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('paas_outcomes'));
    PERFORM paas_count_outcome('stage', NEW.stage, CASE WHEN NEW.failed THEN 'failed' ELSE 'succeeded' END,
                               NEW.finished_at - NEW.started_at);
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER paas_stage_ended AFTER UPDATE OF finished_at ON paas_deployment_stages
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION paas_stage_ended();

-- What ended before.
SELECT paas_count_outcome('deployment', trigger, status, finished_at - created_at)
FROM paas_deployments WHERE finished_at IS NOT NULL;
SELECT paas_count_outcome('stage', stage, CASE WHEN failed THEN 'failed' ELSE 'succeeded' END, finished_at - started_at)
FROM paas_deployment_stages WHERE finished_at IS NOT NULL;
