-- Fills an empty database with a platform that has a past, for the benchmark and for the tests of query plans: 1,000
-- apps in 50 organisations, half of them in `large-1`, ten deployments of each, and usage, charges and an audit log.
--
-- What can be set before, as settings of the session: `large.now`, up to when the past goes, and `large.hours`, how
-- many hours of usage each app has (1,000: a million rows). Tokens of the scope `manage`: `skp_large_admin` of an
-- admin of the platform, `skp_large_owner` of an owner of `large-1`, `skp_large_member` of a member of all 50.

CREATE TEMPORARY VIEW past AS SELECT
    date_trunc('hour', coalesce(nullif(current_setting('large.now', true), '')::timestamptz, now())) AS now,
    coalesce(nullif(current_setting('large.hours', true), '')::integer, 1000) AS hours;

-- Ids that follow from a name.
CREATE FUNCTION pg_temp.id(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(name)::uuid $$;

INSERT INTO organizations (id, name, created_at)
SELECT pg_temp.id('organization ' || number), 'large-' || number, past.now - interval '400 days'
FROM past, generate_series(1, 50) AS number;

-- The first three are the owner of `large-1`, an admin and the member of all; the others are spread over all organisations.
INSERT INTO users (id, email, password_hash, is_admin, created_at)
SELECT pg_temp.id('user ' || number), 'large-' || number || '@example.com', repeat('x', 97), number = 2, past.now - interval '400 days'
FROM past, generate_series(1, 20000) AS number;

INSERT INTO organization_members (organization_id, user_id, role)
SELECT pg_temp.id('organization ' || (number - 1) % 50 + 1), pg_temp.id('user ' || number),
    (ARRAY['owner', 'developer', 'developer', 'viewer'])[(number - 1) / 50 % 4 + 1]
FROM generate_series(1, 2000) AS number WHERE number NOT IN (2, 3)
UNION ALL
SELECT pg_temp.id('organization ' || number), pg_temp.id('user 3'), 'developer' FROM generate_series(1, 50) AS number;

INSERT INTO api_tokens (id, user_id, name, hash, prefix, scope, created_at, last_used_at)
SELECT pg_temp.id('token ' || number), pg_temp.id('user ' || number), 'token',
    sha256(('skp_' || coalesce((ARRAY['large_owner', 'large_admin', 'large_member'])[number], md5('token ' || number)))::bytea),
    'skp_large', 'manage', past.now - interval '10 days', past.now
FROM past, generate_series(1, 2000) AS number;

INSERT INTO user_sessions (id, user_id, created_at, last_used_at, expires_at, address)
SELECT pg_temp.id('session ' || number), pg_temp.id('user ' || number % 2000 + 1), past.now - number * interval '10 minutes',
    past.now - number * interval '5 minutes', past.now + interval '30 days' - number * interval '10 minutes', '192.0.2.1'
FROM past, generate_series(1, 5000) AS number;

INSERT INTO user_refresh_tokens (hash, session_id, created_at, used_at)
SELECT sha256((number || ' ' || turn)::bytea), pg_temp.id('session ' || number), past.now, CASE WHEN turn < 3 THEN past.now END
FROM past, generate_series(1, 5000) AS number, generate_series(1, 3) AS turn;

INSERT INTO ssh_keys (id, user_id, fingerprint, public_key, name)
SELECT pg_temp.id('key ' || number), pg_temp.id('user ' || number), 'SHA256:' || md5('key ' || number), 'ssh-ed25519 AAAA', 'laptop'
FROM generate_series(1, 2000) AS number;

INSERT INTO organization_invitations (id, organization_id, email, role, hash, invited_by, created_at, expires_at, accepted_at)
SELECT pg_temp.id('invitation ' || number), pg_temp.id('organization ' || number % 50 + 1), 'new-' || number || '@example.com',
    'developer', sha256(('invitation ' || number)::bytea), pg_temp.id('user ' || number), past.now - interval '3 days',
    past.now + interval '4 days', CASE WHEN number % 10 > 0 THEN past.now END
FROM past, generate_series(1, 2000) AS number;

INSERT INTO device_logins (id, device_hash, user_code, client_name, scope, created_at, expires_at, user_id, approved, decided_at)
SELECT pg_temp.id('device ' || number), sha256(('device ' || number)::bytea), 'CODE-' || number, 'laptop', 'manage',
    past.now - number * interval '1 minute', past.now - number * interval '1 minute' + interval '10 minutes',
    pg_temp.id('user ' || number), true, past.now
FROM past, generate_series(1, 2000) AS number;

INSERT INTO auth_failures (key, failures, forgotten_at)
SELECT 'login:account:large-' || number || '@example.com', 1, past.now + number * interval '1 second'
FROM past, generate_series(1, 2000) AS number;

INSERT INTO idempotency_keys (user_id, key, request_hash, created_at, status)
SELECT pg_temp.id('user ' || number % 2000 + 1), 'key ' || number, sha256(number::text::bytea),
    past.now - number * interval '10 seconds', 201
FROM past, generate_series(1, 5000) AS number;

-- Even numbers belong to `large-1`, the others are spread over the rest. Nine of ten run.
CREATE TEMPORARY TABLE large_apps AS
SELECT number, pg_temp.id('app ' || number) AS id, 'large-app-' || to_char(number, 'FM0000') AS slug,
    pg_temp.id('organization ' || CASE WHEN number % 2 = 0 THEN 1 ELSE number / 2 % 49 + 2 END) AS organization_id,
    ('00000000-0000-4000-8000-00000000000' || number % 4 + 1)::uuid AS plan_id, number % 10 <> 5 AS runs
FROM generate_series(1, 1000) AS number;
ANALYZE large_apps;

INSERT INTO paas_applications (id, organization_id, name, slug, subdomain, plan_id, status, git_url, created_at)
SELECT app.id, organization_id, 'App ' || number, slug, slug, plan_id,
    CASE WHEN runs THEN 'running' ELSE (ARRAY['stopped', 'failed', 'inactive'])[number % 3 + 1] END,
    'https://git.example.com/large/' || slug || '.git', past.now - interval '300 days'
FROM past, large_apps AS app;

INSERT INTO paas_process_formation (application_id, process_type, replicas)
SELECT id, process, CASE process WHEN 'web' THEN 1 ELSE 0 END FROM large_apps, unnest(ARRAY['web', 'worker']) AS process;

INSERT INTO paas_environment_vars (application_id, key, value)
SELECT id, 'VAR_' || turn, '\x00' FROM large_apps, generate_series(1, 5) AS turn;

-- Version 10 is what runs; the newest of every 100th app is not done.
INSERT INTO paas_deployments (id, application_id, version, status, trigger, git_branch, git_commit, git_message, git_author,
    description, parent_id, image_digest, slug_digest, slug_bytes, buildpack, process_types, config_version, created_by,
    created_at, finished_at, pruned_at)
SELECT pg_temp.id('deployment ' || number || ' ' || version), app.id, CASE WHEN done THEN version END,
    CASE WHEN done THEN 'succeeded' ELSE 'queued' END,
    (ARRAY['push', 'push', 'config', 'webhook'])[version % 4 + 1], 'main', md5(number || ' ' || version) || '00000000',
    'Change number ' || version, 'Somebody', 'Deploy ' || version,
    CASE WHEN version % 4 = 2 THEN pg_temp.id('deployment ' || number || ' ' || version - 1) END,
    'sha256:' || encode(sha256(('image ' || number || ' ' || version)::bytea), 'hex'),
    'sha256:' || encode(sha256(('slug ' || number || ' ' || version)::bytea), 'hex'), 1000000, 'python',
    '{"web": "run", "worker": "work"}', 1, pg_temp.id('user ' || number), created_at,
    CASE WHEN done THEN created_at + interval '20 seconds' END, CASE WHEN version < 5 THEN past.now END
FROM past, large_apps AS app, generate_series(1, 10) AS version,
    LATERAL (SELECT version < 10 OR number % 100 > 0 AS done,
        past.now - (10 - version) * interval '30 hours' - number * interval '1 minute' AS created_at) AS deployment;

UPDATE paas_applications AS app SET last_version = version, current_deployment_id = pg_temp.id('deployment ' || number || ' ' || version)
FROM (SELECT id, number, CASE WHEN number % 100 > 0 THEN 10 ELSE 9 END AS version FROM large_apps) AS released
WHERE released.id = app.id;

INSERT INTO paas_deployment_stages (deployment_id, stage, started_at, finished_at)
SELECT id, stage, created_at, finished_at FROM paas_deployments, unnest(ARRAY['receive', 'build', 'package', 'deploy']) AS stage;

INSERT INTO paas_deployment_sources (deployment_id, git_url, git_branch)
SELECT id, 'https://git.example.com/large.git', 'main' FROM paas_deployments WHERE trigger = 'webhook';

INSERT INTO paas_deployment_changes (deployment_id, application_id, missing, created_at)
SELECT id, application_id, 'first_release', created_at FROM paas_deployments;

INSERT INTO paas_streams (id, application_id, created_at, closed_at, succeeded)
SELECT id, application_id, created_at, finished_at, true FROM paas_deployments;
INSERT INTO paas_stream_chunks (stream_id, seq, data, created_at)
SELECT id, seq, convert_to(repeat('-----> A line of output' || chr(10), 10), 'UTF8'), created_at
FROM paas_streams, generate_series(0, 2) AS seq;

INSERT INTO paas_events (organization_id, application_id, user_id, kind, message, created_at)
SELECT organization_id, app.id, pg_temp.id('user ' || number), 'deploy', 'Deployed v' || turn, past.now - (20 - turn) * interval '15 hours'
FROM past, generate_series(1, 20) AS turn, large_apps AS app;

INSERT INTO paas_alerts (id, rule, subject_kind, subject, subject_name, organization_id, severity, message, began_at,
    fired_at, last_seen, resolved_at)
SELECT pg_temp.id('alert ' || number || ' ' || turn), 'app_deploys_failing', 'app', app.id::text, 'large-app-' || number, organization_id,
    'warning', 'The last 3 deployments failed.', at, at, at, CASE WHEN turn = 10 AND number % 100 = 0 THEN NULL ELSE at END
FROM past, large_apps AS app, generate_series(1, 10) AS turn, LATERAL (SELECT past.now - (10 - turn) * interval '30 hours' AS at) AS of;
INSERT INTO paas_notification_targets (id, organization_id, kind, address, shown_address, min_severity, created_by, created_at)
SELECT pg_temp.id('target ' || number), CASE WHEN number > 0 THEN pg_temp.id('organization ' || number) END, 'email', '\x00', 'ops@example.com',
    'warning', pg_temp.id('user ' || number + 1), past.now
FROM past, generate_series(0, 50) AS number;
INSERT INTO paas_notifications (id, target_id, state, gathers, is_test, attempts, created_at, ended_at, answer)
SELECT pg_temp.id('message ' || number || ' ' || turn), pg_temp.id('target ' || number), 'sent', false, false, 1, at, at, 'Taken.'
FROM past, generate_series(0, 50) AS number, generate_series(1, 100) AS turn,
    LATERAL (SELECT past.now - (100 - turn) * interval '3 hours' AS at) AS of;
INSERT INTO paas_notification_alerts (notification_id, alert_id, news)
SELECT pg_temp.id('message ' || number || ' ' || turn), pg_temp.id('alert ' || turn || ' 1'), news
FROM generate_series(0, 50) AS number, generate_series(1, 100) AS turn, unnest(ARRAY ['fired', 'resolved']) AS news;

INSERT INTO paas_build_cache (id, application_id, cache_key, blob_digest, bytes, last_used_at)
SELECT pg_temp.id('cache ' || number), app.id, 'cache', 'sha256:' || encode(sha256(('cache ' || number)::bytea), 'hex'), 1000,
    past.now - number * interval '1 hour'
FROM past, large_apps AS app;

INSERT INTO paas_domains (id, application_id, domain, status, checked_at, next_check_at, dns_validated_at, active_since,
    ssl_status, ssl_checked_at, created_by, created_at)
SELECT pg_temp.id('domain ' || number || ' ' || turn), app.id, 'www-' || turn || '.customer-' || number || '.example', 'active',
    past.now, past.now + number * interval '1 minute', past.now, past.now, 'active', past.now, pg_temp.id('user ' || number), past.now
FROM past, large_apps AS app, generate_series(1, 2) AS turn;

INSERT INTO paas_repositories (application_id, verified_at) SELECT app.id, past.now FROM past, large_apps AS app;
INSERT INTO paas_webhooks (id, application_id, provider, token, secret, created_by, created_at)
SELECT pg_temp.id('webhook ' || number), app.id, 'github', md5('webhook ' || number), '\x00', pg_temp.id('user ' || number), past.now
FROM past, large_apps AS app;
INSERT INTO paas_webhook_deliveries (id, webhook_id, delivery, event, outcome, reason, deployment_id, received_at)
SELECT pg_temp.id('delivery ' || number || ' ' || turn), pg_temp.id('webhook ' || number), 'delivery ' || turn, 'push', 'deployed',
    'Deployed.', pg_temp.id('deployment ' || number || ' ' || turn), past.now - (10 - turn) * interval '30 hours'
FROM past, large_apps, generate_series(1, 10) AS turn;

INSERT INTO paas_audit_log (occurred_at, organization_id, user_id, actor, via, address, request_id, action, target_kind,
    target, before, after)
SELECT past.now - (100 - turn) * interval '3 hours', organization_id, pg_temp.id('user ' || number), 'large-' || number || '@example.com',
    'token', '192.0.2.' || number % 250, md5(number || ' ' || turn),
    (ARRAY['app.scale', 'app.deploy', 'app.config', 'domain.add'])[turn % 4 + 1], 'app', app.id, '{}', '{"replicas": 1}'
FROM past, generate_series(1, 100) AS turn, large_apps AS app;

-- Twenty times that have ended and are settled, and what runs now, settled up to the last full hour.
INSERT INTO paas_metering (organization_id, application_id, app_slug, process_type, plan_id, plan_name, price_per_hour, replicas,
    started_at, ended_at, settled_until)
SELECT organization_id, app.id, slug, 'web', plan.id, plan.name, plan.price_per_hour, 1,
    begun + turn * length, begun + (turn + 1) * length, begun + (turn + 1) * length
FROM past, large_apps AS app JOIN paas_plans AS plan ON plan.id = plan_id, generate_series(0, 19) AS turn,
    LATERAL (SELECT past.now - past.hours * interval '1 hour' AS begun, past.hours * interval '1 hour' / 20 AS length) AS time;
INSERT INTO paas_metering (organization_id, application_id, app_slug, process_type, plan_id, plan_name, price_per_hour, replicas,
    started_at, settled_until)
SELECT organization_id, app.id, slug, 'web', plan.id, plan.name, plan.price_per_hour, 1, past.now, past.now
FROM past, large_apps AS app JOIN paas_plans AS plan ON plan.id = plan_id WHERE runs;

INSERT INTO paas_resource_usage (organization_id, application_id, app_slug, hour, process_type, plan_id, plan_name,
    price_per_hour, replica_microseconds, cost, charged)
SELECT organization_id, app.id, slug, hour, 'web', plan.id, plan.name, plan.price_per_hour, 3600000000, plan.price_per_hour, true
FROM past, generate_series(past.now - past.hours * interval '1 hour', past.now - interval '1 hour', '1 hour') AS hour,
    large_apps AS app JOIN paas_plans AS plan ON plan.id = plan_id;

-- The months before those hours, of which only the sums are of interest here.
INSERT INTO paas_usage_months
SELECT organization_id, month::date, app.id, slug, 'web', plan.id, plan.name, plan.price_per_hour, 2628000000000,
    plan.price_per_hour * 730, plan.price_per_hour * 730
FROM past, large_apps AS app JOIN paas_plans AS plan ON plan.id = plan_id,
    generate_series(date_trunc('month', past.now) - interval '13 months', date_trunc('month', past.now) - interval '3 months', '1 month') AS month;

-- One organisation a statement: the database follows each one's balance through the rows of a statement.
DO $$
DECLARE
    organization uuid;
BEGIN
    FOR organization IN SELECT DISTINCT organization_id FROM large_apps ORDER BY organization_id LOOP
        INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, actor, occurred_at)
        SELECT organization, 'top_up', 100000, 100000, 'large-2@example.com', past.now - interval '300 days' FROM past;
        INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, application_id, app_slug, hour, occurred_at)
        SELECT organization, 'charge', -cost, 100000 - sum(cost) OVER (ORDER BY hour, app_slug), application_id, app_slug, hour,
            hour + interval '1 hour'
        FROM paas_resource_usage WHERE organization_id = organization ORDER BY hour, app_slug;
    END LOOP;
END
$$;

DROP TABLE large_apps;
DROP VIEW past;
