-- Processes that end again and again: how often in a row each replica did, and which process types were given up.

CREATE TABLE paas_crashes (
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    process_type   text NOT NULL,
    replica        integer NOT NULL,
    -- In a row, without a stable time between two.
    crashes        integer NOT NULL CHECK (crashes > 0),
    first_at       timestamptz NOT NULL,
    last_at        timestamptz NOT NULL,
    -- Whether people were told of the last one, and so are to be told when it runs again.
    told           boolean NOT NULL,
    PRIMARY KEY (application_id, process_type, replica)
);

-- What is not started any more, and not paid for. A row goes when its process type runs again.
CREATE TABLE paas_given_up (
    application_id uuid NOT NULL REFERENCES paas_applications (id) ON DELETE CASCADE,
    process_type   text NOT NULL,
    given_up_at    timestamptz NOT NULL,
    reason         text NOT NULL,
    -- Asked to run once more; it counts as running from then on, until that fails.
    again          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (application_id, process_type)
);
