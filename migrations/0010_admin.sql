-- For the platform's admins: settings that every process hears of at once, and lists and sums that stay quick.

CREATE FUNCTION paas_tell_settings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('skypanel_settings', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_settings_tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON paas_settings
    FOR EACH STATEMENT EXECUTE FUNCTION paas_tell_settings();

-- What was deployed lately, by outcome: the overview and the metrics.
CREATE INDEX paas_deployments_created ON paas_deployments (created_at) INCLUDE (status, trigger);
CREATE INDEX paas_deployments_finished ON paas_deployments (finished_at) INCLUDE (status, trigger, created_at)
    WHERE finished_at IS NOT NULL;

-- The audit log by who did it and by what was done.
CREATE INDEX paas_audit_log_user ON paas_audit_log (user_id, id DESC);
CREATE INDEX paas_audit_log_action ON paas_audit_log (action text_pattern_ops, id DESC);
CREATE INDEX paas_audit_log_time ON paas_audit_log (occurred_at);

-- Apps by status: the overview, and lists of admins.
CREATE INDEX paas_applications_status ON paas_applications (status, slug);

-- An organisation that goes, goes with the last of its apps, which take a while to be removed.
ALTER TABLE organizations ADD COLUMN deleting_at timestamptz;

CREATE FUNCTION paas_delete_organization() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time: of two that go at once, each would see the other one's app.
    PERFORM FROM organizations WHERE id = OLD.organization_id AND deleting_at IS NOT NULL FOR UPDATE;
    IF FOUND THEN
        DELETE FROM organizations WHERE id = OLD.organization_id
        AND NOT EXISTS (SELECT FROM paas_applications WHERE organization_id = OLD.organization_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_applications_last_goes AFTER DELETE ON paas_applications
    FOR EACH ROW EXECUTE FUNCTION paas_delete_organization();
