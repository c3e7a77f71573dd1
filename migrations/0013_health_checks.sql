-- How an app's health is checked, where that differs from the platform's settings.

ALTER TABLE paas_applications
    ADD COLUMN health_check_interval_seconds integer CHECK (health_check_interval_seconds BETWEEN 1 AND 3600),
    ADD COLUMN health_check_timeout_seconds  integer CHECK (health_check_timeout_seconds BETWEEN 1 AND 300),
    ADD COLUMN health_check_retries          integer CHECK (health_check_retries BETWEEN 1 AND 100),
    ADD COLUMN health_check_start_seconds    integer CHECK (health_check_start_seconds BETWEEN 1 AND 3600);
