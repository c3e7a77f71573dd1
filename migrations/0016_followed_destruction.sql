-- The destruction of an app has a stream, too, which outlives the app: it belongs to its organisation.

ALTER TABLE paas_streams
    ALTER COLUMN application_id DROP NOT NULL,
    ADD COLUMN organization_id uuid REFERENCES organizations (id) ON DELETE CASCADE,
    -- The app as it was, by its id and slug.
    ADD COLUMN destroyed_id    uuid,
    ADD COLUMN destroyed_slug  text,
    ADD CONSTRAINT paas_streams_owner CHECK (
        (application_id IS NULL) = (organization_id IS NOT NULL AND destroyed_id IS NOT NULL AND destroyed_slug IS NOT NULL)
    );
CREATE INDEX paas_streams_organization ON paas_streams (organization_id) WHERE organization_id IS NOT NULL;
CREATE INDEX paas_streams_destroyed ON paas_streams (destroyed_id) WHERE destroyed_id IS NOT NULL;
