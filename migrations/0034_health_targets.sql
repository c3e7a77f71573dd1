-- What an app's health check asks, where that is not the usual: HTTP or TCP, on which port, and which answers count.

ALTER TABLE paas_applications
    ADD COLUMN health_check_protocol        text    CHECK (health_check_protocol IN ('http', 'tcp')),
    ADD COLUMN health_check_port            integer CHECK (health_check_port BETWEEN 1 AND 65535),
    ADD COLUMN health_check_expected_status text    CHECK (length(health_check_expected_status) BETWEEN 3 AND 100);
