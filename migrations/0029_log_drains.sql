-- Where apps' log lines are forwarded to.

CREATE TABLE paas_log_drains (
    id             uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    -- The whole address, sealed: services put into it what lets a sender in.
    address        bytea NOT NULL,
    -- What everybody who sees the app may know of it.
    shown_address  text NOT NULL,
    created_by     uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at     timestamptz NOT NULL,
    -- Since when nothing gets there, and why; none while all is well.
    failing_since  timestamptz,
    last_error     text
);
CREATE INDEX paas_log_drains_app ON paas_log_drains (application_id, created_at);
CREATE INDEX paas_log_drains_created_by ON paas_log_drains (created_by) WHERE created_by IS NOT NULL;
