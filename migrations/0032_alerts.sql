-- What is wrong (alerts), whom that is told to (targets), and how the telling went (notifications).

CREATE TABLE paas_alerts (
    id              uuid PRIMARY KEY,
    rule            text NOT NULL,
    -- What it is about: a kind of thing, its id or name, and how people knew it at that time. No foreign key: history
    -- outlives the thing.
    subject_kind    text NOT NULL,
    subject         text NOT NULL,
    subject_name    text NOT NULL,
    -- Whose people are concerned; null: the platform's admins alone.
    organization_id uuid REFERENCES organizations (id) ON DELETE CASCADE,
    severity        text NOT NULL CHECK (severity IN ('warning', 'critical')),
    message         text NOT NULL,
    -- What was measured and what it was held against, where the rule is about a number.
    value           double precision,
    threshold       double precision,
    -- When it was first seen, and when it had lasted for long enough to count.
    began_at        timestamptz NOT NULL,
    fired_at        timestamptz,
    last_seen       timestamptz NOT NULL,
    -- Since when it is not seen any more; after a while of that it is over.
    clear_since     timestamptz,
    resolved_at     timestamptz CHECK (resolved_at IS NULL OR fired_at IS NOT NULL),
    told_at         timestamptz
);
-- However many workers look at the same time, a thing has one alert of a rule.
CREATE UNIQUE INDEX paas_alerts_open ON paas_alerts (rule, subject_kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX paas_alerts_organization ON paas_alerts (organization_id, fired_at DESC, id DESC) WHERE fired_at IS NOT NULL;
CREATE INDEX paas_alerts_fired ON paas_alerts (fired_at DESC, id DESC) WHERE fired_at IS NOT NULL;
CREATE INDEX paas_alerts_rule ON paas_alerts (rule, fired_at DESC, id DESC) WHERE fired_at IS NOT NULL;
CREATE INDEX paas_alerts_resolved ON paas_alerts (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE paas_notification_targets (
    id              uuid PRIMARY KEY,
    -- Null: the platform's own, for its admins.
    organization_id uuid REFERENCES organizations (id) ON DELETE CASCADE,
    kind            text NOT NULL CHECK (kind IN ('email', 'webhook', 'slack')),
    -- Sealed: whoever knows the address of a Slack webhook may write there.
    address         bytea NOT NULL,
    -- What of it may be shown: an e-mail address as it is, of a URL the host.
    shown_address   text NOT NULL,
    -- Sealed; what calls of a webhook are signed with.
    secret          bytea CHECK ((secret IS NOT NULL) = (kind = 'webhook')),
    min_severity    text NOT NULL CHECK (min_severity IN ('warning', 'critical')),
    -- The rules whose alerts are told; null: all that are for its owner.
    rules           text[],
    enabled         boolean NOT NULL DEFAULT true,
    created_by      uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at      timestamptz NOT NULL
);
CREATE INDEX paas_notification_targets_organization ON paas_notification_targets (organization_id, created_at);
CREATE INDEX paas_notification_targets_created_by ON paas_notification_targets (created_by) WHERE created_by IS NOT NULL;

-- A message to one target.
CREATE TABLE paas_notifications (
    id          uuid PRIMARY KEY,
    target_id   uuid NOT NULL REFERENCES paas_notification_targets (id) ON DELETE CASCADE,
    state       text NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    -- Whether what happens now is added to it; so until its first try.
    gathers     boolean NOT NULL,
    is_test     boolean NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    -- While it is being tried, when that is given up for lost.
    next_try_at timestamptz CHECK ((next_try_at IS NOT NULL) = (state = 'waiting')),
    ended_at    timestamptz CHECK ((ended_at IS NULL) = (state = 'waiting')),
    -- What came of the last try, in words.
    answer      text
);
CREATE UNIQUE INDEX paas_notifications_gathering ON paas_notifications (target_id) WHERE gathers;
CREATE INDEX paas_notifications_newest ON paas_notifications (target_id, created_at DESC, id DESC);
CREATE INDEX paas_notifications_due ON paas_notifications (next_try_at) WHERE state = 'waiting';
CREATE INDEX paas_notifications_ended ON paas_notifications (ended_at) WHERE ended_at IS NOT NULL;

-- What a message tells.
CREATE TABLE paas_notification_alerts (
    notification_id uuid NOT NULL REFERENCES paas_notifications (id) ON DELETE CASCADE,
    alert_id        uuid NOT NULL REFERENCES paas_alerts (id) ON DELETE CASCADE,
    news            text NOT NULL CHECK (news IN ('fired', 'worse', 'lasting', 'resolved')),
    PRIMARY KEY (notification_id, alert_id, news)
);
CREATE INDEX paas_notification_alerts_alert ON paas_notification_alerts (alert_id);
