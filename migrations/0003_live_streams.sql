-- Live output of deployments and operations, in chunks, so that a late or remote follower misses nothing.

CREATE TABLE paas_streams (
    id             uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    created_at     timestamptz NOT NULL DEFAULT now(),
    -- Set once, when the last chunk is written; `succeeded` is then the outcome.
    closed_at      timestamptz,
    succeeded      boolean
);
CREATE INDEX paas_streams_app ON paas_streams (application_id, created_at DESC);

CREATE TABLE paas_stream_chunks (
    stream_id  uuid NOT NULL REFERENCES paas_streams (id) ON DELETE CASCADE,
    seq        bigint NOT NULL,
    data       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream_id, seq)
);
