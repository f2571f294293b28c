-- Which pool this database is. The object store carries the same id, so that neither is used with another's.
create table pool (
    single boolean primary key default true check (single),
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    -- When a store was first marked as this pool's; from then on a store without a mark is one that is away.
    store_marked_at timestamptz
);
insert into pool default values;

-- The coordinator read other bytes then: it does not count as stored until a reading finds it whole.
alter table blobs rename column suspect_at to damaged_at;
-- Unused since; deleted a day later unless something names it again.
alter table blobs add column quarantined_at timestamptz;
-- This pool began to write it then. Null = the store had it before, and no sweep deletes it.
alter table blobs add column written_at timestamptz;
update blobs set written_at = wanted_at;

-- kept: offered. missing, damaged: what the coordinator found when it read the store. quarantined: whole, but attempts could not use
-- it. removed: newer ones took its place, or a person discarded it.
update checkpoints set status = 'damaged' where status = 'corrupt';
alter table checkpoints add constraint checkpoints_status check (status in ('kept', 'missing', 'damaged', 'quarantined', 'removed'));
alter table checkpoints add column status_at timestamptz not null default now();

-- A worker's word that a checkpoint cannot be used. It moves nothing, it asks for a check.
create table checkpoint_complaints (
    checkpoint_id uuid not null references checkpoints on delete cascade,
    attempt_id uuid not null references attempts on delete cascade,
    reason text not null,
    at timestamptz not null default now(),
    primary key (checkpoint_id, attempt_id)
);
-- Checkpoints that the coordinator is to read itself, and when it tries next.
create table checkpoint_checks (
    checkpoint_id uuid primary key references checkpoints on delete cascade,
    reason text not null,
    asked_at timestamptz not null default now(),
    next_at timestamptz not null default now(),
    tries int not null default 0
);
create index checkpoint_checks_next on checkpoint_checks (next_at);
