-- When an organisation is warned of its spending, where its owners say so.

-- In place of the setting billing.low_balance_hours; none: as that says.
ALTER TABLE organizations ADD COLUMN low_balance_hours integer CHECK (low_balance_hours BETWEEN 0 AND 8760);
-- What it means to spend in a month of UTC; none: nothing is held against what it is charged.
ALTER TABLE organizations ADD COLUMN month_budget numeric(18, 6) CHECK (month_budget > 0);
-- Few have one, and the rule that looks for them does so every minute.
CREATE INDEX organizations_month_budget ON organizations (id) WHERE month_budget IS NOT NULL;
