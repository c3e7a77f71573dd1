-- Whatever a screen shows is told of when it changes, to those who may see it: to an organisation (as before), to a
-- `user` and their id, to `admins`, or to `everybody`. What is only used, counted or seen again is not told. A transaction
-- that changes much of an organisation tells it once: the same announcement twice in a transaction is one.

-- Of an organisation, whose column is the argument; where that is null, it is the platform's own.
CREATE FUNCTION paas_tell_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('skypanel_changes', coalesce(changed ->> TG_ARGV[0], 'admins'));
    RETURN NULL;
END
$$;

-- Of a user, whose column is the argument: to nobody else.
CREATE FUNCTION paas_tell_user() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('skypanel_changes', 'user ' || (changed ->> TG_ARGV[0]));
    RETURN NULL;
END
$$;

CREATE FUNCTION paas_tell_everybody() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skypanel_changes', 'everybody');
    RETURN NULL;
END
$$;

-- Limits, suspension, and the wallet: each entry of the ledger moves it, those of one statement once.
CREATE TRIGGER organizations_tell AFTER INSERT OR DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION paas_tell_owner('id');
CREATE TRIGGER organizations_tell_update AFTER UPDATE ON organizations
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION paas_tell_owner('id');

-- What is added many rows at a time tells each organisation once; what is none's is the platform's own.
CREATE FUNCTION paas_tell_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skypanel_changes', coalesce(organization_id::text, 'admins'))
    FROM (SELECT DISTINCT organization_id FROM added) AS owners;
    RETURN NULL;
END
$$;
-- Use is written while billing is off as well; a settlement writes that of all apps of an organisation.
CREATE TRIGGER paas_resource_usage_tell AFTER INSERT ON paas_resource_usage
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION paas_tell_added();
-- What people and the platform did: jobs and whatever else lies in other tables is changed by way of it, too.
CREATE TRIGGER paas_audit_log_tell AFTER INSERT ON paas_audit_log
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION paas_tell_added();

-- An app that moves is gone from where it was.
CREATE FUNCTION paas_tell_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skypanel_changes', concat_ws(' ', OLD.organization_id, OLD.id, OLD.slug));
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_applications_tell_left AFTER UPDATE OF organization_id ON paas_applications
    FOR EACH ROW WHEN (OLD.organization_id <> NEW.organization_id) EXECUTE FUNCTION paas_tell_left();

-- Who is locked out, an admin, or has a second factor, is seen by themselves, by those they work with, and by admins.
CREATE FUNCTION paas_tell_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skypanel_changes', 'admins');
    IF TG_OP = 'UPDATE' THEN
        PERFORM pg_notify('skypanel_changes', 'user ' || NEW.id);
        PERFORM pg_notify('skypanel_changes', organization_id::text)
        FROM organization_members WHERE user_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_tell AFTER INSERT OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION paas_tell_person();
CREATE TRIGGER users_tell_update AFTER UPDATE ON users
    FOR EACH ROW WHEN ((OLD.email, OLD.is_admin, OLD.disabled_at, OLD.totp_confirmed_at)
        IS DISTINCT FROM (NEW.email, NEW.is_admin, NEW.disabled_at, NEW.totp_confirmed_at))
    EXECUTE FUNCTION paas_tell_person();

-- A person's own. When a key, a token or a session was used last is written with every use.
CREATE TRIGGER organization_members_tell_user AFTER INSERT OR UPDATE OR DELETE ON organization_members
    FOR EACH ROW EXECUTE FUNCTION paas_tell_user('user_id');
CREATE TRIGGER user_recovery_codes_tell AFTER INSERT OR UPDATE OR DELETE ON user_recovery_codes
    FOR EACH ROW EXECUTE FUNCTION paas_tell_user('user_id');
CREATE TRIGGER ssh_keys_tell AFTER INSERT OR DELETE ON ssh_keys
    FOR EACH ROW EXECUTE FUNCTION paas_tell_user('user_id');
CREATE TRIGGER ssh_keys_tell_update AFTER UPDATE ON ssh_keys
    FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION paas_tell_user('user_id');
CREATE TRIGGER api_tokens_tell AFTER INSERT OR DELETE ON api_tokens
    FOR EACH ROW EXECUTE FUNCTION paas_tell_user('user_id');
CREATE TRIGGER api_tokens_tell_update AFTER UPDATE ON api_tokens
    FOR EACH ROW WHEN ((OLD.name, OLD.scope, OLD.expires_at, OLD.revoked_at)
        IS DISTINCT FROM (NEW.name, NEW.scope, NEW.expires_at, NEW.revoked_at))
    EXECUTE FUNCTION paas_tell_user('user_id');
-- What has ended is cleared away later, which nobody sees.
CREATE TRIGGER user_sessions_tell AFTER INSERT ON user_sessions
    FOR EACH ROW EXECUTE FUNCTION paas_tell_user('user_id');
CREATE TRIGGER user_sessions_tell_update AFTER UPDATE ON user_sessions
    FOR EACH ROW WHEN (OLD.revoked_at IS DISTINCT FROM NEW.revoked_at) EXECUTE FUNCTION paas_tell_user('user_id');

-- The platform's, as everybody sees it.
CREATE TRIGGER paas_plans_tell AFTER INSERT OR DELETE ON paas_plans
    FOR EACH ROW EXECUTE FUNCTION paas_tell_everybody();
CREATE TRIGGER paas_plans_tell_update AFTER UPDATE ON paas_plans
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION paas_tell_everybody();
CREATE TRIGGER paas_settings_tell_values AFTER INSERT OR DELETE ON paas_settings
    FOR EACH ROW EXECUTE FUNCTION paas_tell_everybody();
CREATE TRIGGER paas_settings_tell_values_update AFTER UPDATE ON paas_settings
    FOR EACH ROW WHEN (OLD.value <> NEW.value) EXECUTE FUNCTION paas_tell_everybody();

-- Of an app.
CREATE TRIGGER paas_webhooks_tell AFTER INSERT OR DELETE ON paas_webhooks
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_webhooks_tell_update AFTER UPDATE ON paas_webhooks
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_log_drains_tell AFTER INSERT OR DELETE ON paas_log_drains
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_log_drains_tell_update AFTER UPDATE ON paas_log_drains
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_repositories_tell AFTER INSERT OR DELETE ON paas_repositories
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_repositories_tell_update AFTER UPDATE ON paas_repositories
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_given_up_tell AFTER INSERT OR UPDATE OR DELETE ON paas_given_up
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();

CREATE FUNCTION paas_tell_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skypanel_changes', concat_ws(' ', app.organization_id, app.id, app.slug))
    FROM paas_webhooks AS webhook JOIN paas_applications AS app ON app.id = webhook.application_id
    WHERE webhook.id = NEW.webhook_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_webhook_deliveries_tell AFTER INSERT ON paas_webhook_deliveries
    FOR EACH ROW EXECUTE FUNCTION paas_tell_delivery();
CREATE TRIGGER paas_webhook_deliveries_tell_update AFTER UPDATE ON paas_webhook_deliveries
    FOR EACH ROW WHEN ((OLD.outcome, OLD.reason, OLD.deployment_id)
        IS DISTINCT FROM (NEW.outcome, NEW.reason, NEW.deployment_id))
    EXECUTE FUNCTION paas_tell_delivery();

-- Alerts are seen again every minute, each time with another number; what counts is that they begin, get worse and end.
-- Those of an organisation are in the admins' list as well, who hear of every organisation.
CREATE TRIGGER paas_alerts_tell AFTER INSERT ON paas_alerts
    FOR EACH ROW WHEN (NEW.fired_at IS NOT NULL) EXECUTE FUNCTION paas_tell_owner('organization_id');
CREATE TRIGGER paas_alerts_tell_update AFTER UPDATE ON paas_alerts
    FOR EACH ROW WHEN (NEW.fired_at IS NOT NULL AND (OLD.organization_id, OLD.severity, OLD.fired_at, OLD.resolved_at)
        IS DISTINCT FROM (NEW.organization_id, NEW.severity, NEW.fired_at, NEW.resolved_at))
    EXECUTE FUNCTION paas_tell_owner('organization_id');

CREATE TRIGGER paas_notification_targets_tell AFTER INSERT OR DELETE ON paas_notification_targets
    FOR EACH ROW EXECUTE FUNCTION paas_tell_owner('organization_id');
CREATE TRIGGER paas_notification_targets_tell_update AFTER UPDATE ON paas_notification_targets
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION paas_tell_owner('organization_id');

CREATE FUNCTION paas_tell_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skypanel_changes', coalesce(organization_id::text, 'admins'))
    FROM paas_notification_targets WHERE id = NEW.target_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_notifications_tell AFTER INSERT ON paas_notifications
    FOR EACH ROW EXECUTE FUNCTION paas_tell_message();
CREATE TRIGGER paas_notifications_tell_update AFTER UPDATE ON paas_notifications
    FOR EACH ROW WHEN ((OLD.state, OLD.attempts, OLD.answer) IS DISTINCT FROM (NEW.state, NEW.attempts, NEW.answer))
    EXECUTE FUNCTION paas_tell_message();
