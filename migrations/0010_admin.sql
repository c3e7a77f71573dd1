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
