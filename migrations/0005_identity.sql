-- How people and programs prove who they are: browser sessions, API tokens, second factors, invitations, device
-- logins, and what keeps guessing slow. Credentials are stored as SHA-256 hashes of random values only.

ALTER TABLE users
    ADD COLUMN disabled_at     timestamptz,
    ADD COLUMN last_login_at   timestamptz,
    -- Sealed. In force once confirmed.
    ADD COLUMN totp_secret     bytea,
    ADD COLUMN totp_confirmed_at timestamptz,
    -- The last time step that was accepted: a code counts once.
    ADD COLUMN totp_last_step  bigint;

CREATE TABLE user_recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    bytea NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, hash)
);

-- One row a login. All refresh tokens that follow from it are its family, and end with it.
CREATE TABLE user_sessions (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    address      text,
    user_agent   text
);
CREATE INDEX user_sessions_user ON user_sessions (user_id);
CREATE INDEX user_sessions_expires ON user_sessions (expires_at);

CREATE TABLE user_refresh_tokens (
    hash       bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES user_sessions (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    -- Set when it was exchanged for the next one; a second use then ends the session.
    used_at    timestamptz
);
CREATE INDEX user_refresh_tokens_session ON user_refresh_tokens (session_id);

CREATE TABLE api_tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         text NOT NULL,
    hash         bytea NOT NULL UNIQUE,
    -- How it begins, so that its owner recognises it.
    prefix       text NOT NULL,
    scope        text NOT NULL CHECK (scope IN ('read', 'deploy', 'manage')),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    last_used_address text,
    revoked_at   timestamptz
);
CREATE INDEX api_tokens_user ON api_tokens (user_id, created_at);

CREATE TABLE organization_invitations (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    email           text NOT NULL,
    role            text NOT NULL CHECK (role IN ('owner', 'developer', 'viewer')),
    hash            bytea NOT NULL UNIQUE,
    invited_by      uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    accepted_at     timestamptz,
    revoked_at      timestamptz
);
CREATE UNIQUE INDEX organization_invitations_open ON organization_invitations (organization_id, lower(email))
    WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- `skypanel login` on a machine without a browser: RFC 8628.
CREATE TABLE device_logins (
    id             uuid PRIMARY KEY,
    device_hash    bytea NOT NULL UNIQUE,
    user_code      text NOT NULL UNIQUE,
    client_name    text NOT NULL,
    scope          text NOT NULL CHECK (scope IN ('read', 'deploy', 'manage')),
    address        text,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    last_polled_at timestamptz,
    user_id        uuid REFERENCES users (id) ON DELETE CASCADE,
    decided_at     timestamptz,
    approved       boolean,
    -- When the token was handed out; that happens once.
    collected_at   timestamptz
);
CREATE INDEX device_logins_expires ON device_logins (expires_at);

-- Failures of logins, tokens and codes, counted per account and per address, for all processes together.
CREATE TABLE auth_failures (
    -- What is counted, such as `login:account:ada@example.com`.
    key        text PRIMARY KEY,
    failures   integer NOT NULL,
    -- The count starts again when this has passed.
    forgotten_at timestamptz NOT NULL
);
CREATE INDEX auth_failures_forgotten ON auth_failures (forgotten_at);

-- Answers to creating calls, given again when a client repeats the call with the same key.
CREATE TABLE idempotency_keys (
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key          text NOT NULL,
    -- SHA-256 over method, path and body: a key cannot be used for something else.
    request_hash bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    -- None while the first call is being answered.
    status       smallint,
    content_type text,
    body         bytea,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
