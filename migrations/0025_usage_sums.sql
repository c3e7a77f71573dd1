-- The sums of usage are moved by usage that is added, as the ledger moves the balance, and by nothing else.
CREATE TRIGGER paas_usage_days_append_only BEFORE UPDATE OR DELETE ON paas_usage_days
    FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION paas_refuse_change();
CREATE TRIGGER paas_usage_days_no_truncate BEFORE TRUNCATE ON paas_usage_days
    FOR EACH STATEMENT EXECUTE FUNCTION paas_refuse_change();
CREATE TRIGGER paas_usage_months_append_only BEFORE UPDATE OR DELETE ON paas_usage_months
    FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION paas_refuse_change();
CREATE TRIGGER paas_usage_months_no_truncate BEFORE TRUNCATE ON paas_usage_months
    FOR EACH STATEMENT EXECUTE FUNCTION paas_refuse_change();
