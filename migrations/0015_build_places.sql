-- Which deployments are being built, of which an organisation has so many at a time, and which wait for that.

ALTER TABLE paas_deployments
    -- Since when it has one of its organisation's places to build in; none before and after.
    ADD COLUMN build_place_at timestamptz,
    -- Since when a worker knows that its turn has not come.
    ADD COLUMN waits_since timestamptz;
