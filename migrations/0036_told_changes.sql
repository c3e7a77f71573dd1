-- Whoever looks at an app or an organisation hears of its changes at once: every process listens, and is told which
-- organisation's, and which app's where it is one's. What changed it reads itself.

CREATE FUNCTION paas_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
    of_app uuid := CASE TG_TABLE_NAME
        WHEN 'paas_applications' THEN changed ->> 'id'
        ELSE changed ->> 'application_id'
    END;
    of_organization uuid := changed ->> 'organization_id';
    of_slug text := changed ->> 'slug';
BEGIN
    IF TG_TABLE_NAME = 'paas_deployment_stages' THEN
        SELECT application_id INTO of_app FROM paas_deployments WHERE id = (changed ->> 'deployment_id')::uuid;
    END IF;
    IF of_app IS NOT NULL AND of_slug IS NULL THEN
        SELECT organization_id, slug INTO of_organization, of_slug FROM paas_applications WHERE id = of_app;
    END IF;
    -- Where the app goes in the same transaction, its own row tells of it.
    IF of_organization IS NOT NULL THEN
        PERFORM pg_notify('skypanel_changes', concat_ws(' ', of_organization, of_app, of_slug));
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER paas_applications_tell AFTER INSERT OR UPDATE OR DELETE ON paas_applications
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_deployments_tell AFTER INSERT OR UPDATE ON paas_deployments
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_deployment_stages_tell AFTER INSERT OR UPDATE ON paas_deployment_stages
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_process_formation_tell AFTER INSERT OR UPDATE OR DELETE ON paas_process_formation
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_environment_vars_tell AFTER INSERT OR UPDATE OR DELETE ON paas_environment_vars
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_domains_tell AFTER INSERT OR UPDATE OR DELETE ON paas_domains
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER paas_events_tell AFTER INSERT ON paas_events
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER organization_members_tell AFTER INSERT OR UPDATE OR DELETE ON organization_members
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
CREATE TRIGGER organization_invitations_tell AFTER INSERT OR UPDATE OR DELETE ON organization_invitations
    FOR EACH ROW EXECUTE FUNCTION paas_tell_change();
