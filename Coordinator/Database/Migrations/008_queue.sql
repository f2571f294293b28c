-- What the scheduler reads of a run each second, without opening its spec, and only of those that wait.
alter table runs add column devices text not null generated always as (coalesce(spec -> 'run' ->> 'devices', 'any')) stored;
create index runs_queued on runs (priority desc, queued_at, id) where state = 'queued';
