-- What the rules of alerts look for among much else.

-- Incidents among all that happens to apps.
CREATE INDEX paas_events_incidents ON paas_events (kind, created_at) WHERE kind IN ('crash', 'health');
-- Certificates in the order in which they end, and domains that lack one.
CREATE INDEX paas_domains_expiring ON paas_domains (ssl_cert_expires_at) WHERE status = 'active';
CREATE INDEX paas_domains_uncertified ON paas_domains (id) WHERE status = 'active' AND ssl_status = 'failed';
-- What was charged lately, to be compared with what was used.
CREATE INDEX wallet_ledger_hour ON wallet_ledger (hour) INCLUDE (organization_id, amount) WHERE kind = 'charge';
