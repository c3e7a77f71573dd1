-- Since when the name servers of a domain gave no answer about it; none where the last check had one.
ALTER TABLE paas_domains ADD COLUMN unanswered_since timestamptz;
