-- Which request began a call: whether it was made is then in the audit log, whatever became of its answer.

ALTER TABLE idempotency_keys ADD COLUMN request_id text;
CREATE INDEX paas_audit_log_request ON paas_audit_log (request_id);
