-- How requests to the API were answered, minute by minute, by all of its processes together: what the rules of alerts
-- look at.
CREATE TABLE paas_api_minutes (
    minute   timestamptz PRIMARY KEY,
    requests bigint NOT NULL,
    -- Those that were answered with 500 or more.
    errors   bigint NOT NULL,
    -- Those whose answer began later than the setting `alerts.api_slow_ms` says.
    slow     bigint NOT NULL
);
