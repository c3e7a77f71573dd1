-- Whether members may create apps is for two to say: an admin of the platform (allow_app_creation) and an owner of the
-- organisation. Neither undoes what the other one forbids.

ALTER TABLE organizations ADD COLUMN owners_allow_app_creation boolean NOT NULL DEFAULT true;
