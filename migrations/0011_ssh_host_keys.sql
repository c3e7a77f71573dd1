-- Public host keys of the SSH servers, so that the API can tell clients which to expect. A server says its own when it
-- starts and from time to time.
CREATE TABLE ssh_host_keys (
    public_key   TEXT PRIMARY KEY,
    last_seen_at TIMESTAMPTZ NOT NULL
);
