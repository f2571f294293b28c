-- Set after running out of memory at one row: the run goes on with blocks recomputed, whatever its spec says.
alter table runs add column recompute boolean not null default false;
