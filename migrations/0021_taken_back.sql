-- The open invitations that somebody was sent, which are taken back when they are taken out or locked out.

CREATE INDEX organization_invitations_open_email ON organization_invitations (lower(email))
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
