-- Custom domains of apps: whether their people own them, whether they lead here, and what certificate the edge serves.

CREATE TABLE paas_domains (
    id                  uuid PRIMARY KEY,
    application_id      uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    -- As in DNS: lower case, in its ASCII form, without the last dot.
    domain              text NOT NULL CHECK (domain = lower(domain) AND domain !~ '[^a-z0-9.-]'),
    status              text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'active', 'failed')),
    -- What the last check found wrong; none if all was right.
    problem             text,
    -- Checks in a row that found something wrong, and since when.
    failed_checks       integer NOT NULL DEFAULT 0 CHECK (failed_checks >= 0),
    failing_since       timestamptz,
    checked_at          timestamptz,
    next_check_at       timestamptz NOT NULL,
    -- When all was right last.
    dns_validated_at    timestamptz,
    -- Since when it is routed.
    active_since        timestamptz,
    ssl_status          text NOT NULL DEFAULT 'pending' CHECK (ssl_status IN ('pending', 'active', 'failed')),
    ssl_issuer          text,
    ssl_cert_expires_at timestamptz,
    ssl_problem         text,
    ssl_checked_at      timestamptz,
    created_by          uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at          timestamptz NOT NULL,
    UNIQUE (application_id, domain)
);
-- Whoever proves a domain has it. A claim that nobody proved keeps nobody else from it.
CREATE UNIQUE INDEX paas_domains_active ON paas_domains (domain) WHERE status = 'active';
CREATE INDEX paas_domains_due ON paas_domains (next_check_at);
CREATE INDEX paas_domains_created_by ON paas_domains (created_by) WHERE created_by IS NOT NULL;

-- Whether plain HTTP on its own domains is sent on to HTTPS, once there is a certificate.
ALTER TABLE paas_applications ADD COLUMN https_redirect boolean NOT NULL DEFAULT true;
