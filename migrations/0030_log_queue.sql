-- What is to become lines of apps' logs: each event, and each deployment's live stream. An agent takes it out when the
-- log has it, so that each is there once, however many agents there are. What is older than this stays out.

CREATE TABLE paas_log_events (
    event_id bigint PRIMARY KEY REFERENCES paas_events (id) ON DELETE CASCADE
);

CREATE TABLE paas_log_streams (
    stream_id  uuid PRIMARY KEY REFERENCES paas_streams (id) ON DELETE CASCADE,
    -- The chunk with the first byte that is not in the log yet, and where in it.
    seq        bigint NOT NULL DEFAULT 0,
    bytes      integer NOT NULL DEFAULT 0,
    -- Whether that byte is of the release process.
    in_release boolean NOT NULL DEFAULT false
);

CREATE FUNCTION paas_queue_log_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO paas_log_events (event_id) SELECT id FROM added WHERE application_id IS NOT NULL;
    IF FOUND THEN
        PERFORM pg_notify('skypanel_logs', '');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_events_queue_log AFTER INSERT ON paas_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION paas_queue_log_events();

CREATE FUNCTION paas_queue_log_streams() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO paas_log_streams (stream_id) SELECT id FROM added WHERE application_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER paas_streams_queue_log AFTER INSERT ON paas_streams
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION paas_queue_log_streams();
