-- Who changed what: append-only, and kept when what it tells about is gone.

CREATE TABLE paas_audit_log (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at     timestamptz NOT NULL,
    -- No foreign keys: the log outlives organisations and users.
    organization_id uuid,
    user_id         uuid,
    -- The user's e-mail address at that time.
    actor           text,
    via             text NOT NULL CHECK (via IN ('ssh', 'browser', 'token', 'webhook', 'system')),
    address         text,
    request_id      text,
    action          text NOT NULL,
    target_kind     text NOT NULL,
    target          text NOT NULL,
    before          jsonb NOT NULL,
    after           jsonb NOT NULL
);
CREATE INDEX paas_audit_log_organization ON paas_audit_log (organization_id, id DESC);
CREATE INDEX paas_audit_log_target ON paas_audit_log (target_kind, target, id DESC);

CREATE FUNCTION paas_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER paas_audit_log_append_only BEFORE UPDATE OR DELETE ON paas_audit_log
    FOR EACH ROW EXECUTE FUNCTION paas_refuse_change();
CREATE TRIGGER paas_audit_log_no_truncate BEFORE TRUNCATE ON paas_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION paas_refuse_change();
