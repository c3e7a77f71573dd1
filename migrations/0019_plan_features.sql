-- What the plans of a new platform have, where no admin has said anything else yet.
UPDATE paas_plans SET features = jsonb_build_object('custom_domains', true, 'horizontal_scaling', max_replicas > 1)
WHERE features = '{}' AND name IN ('hobby', 'standard', 'pro', 'business');
