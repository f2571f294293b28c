-- What the import found, as the API tells it; null for datasets of before.
alter table datasets add column manifest jsonb;
