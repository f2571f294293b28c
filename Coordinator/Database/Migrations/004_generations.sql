-- Memory of a worker's host that nothing used at its last heartbeat.
alter table workers add column host_free_bytes bigint;

-- Requests to checkpoints and what came of them. Nobody needs them after a crash of the database, so they are not logged: then both
-- tables are empty, streams end, and workers find their requests over.
create unlogged table generations (
    id uuid primary key,
    checkpoint_id uuid not null,
    request jsonb not null,
    worker_id uuid not null,
    -- Null = the host's processor, beside whatever trains there.
    device_index int,
    device text not null,
    state text not null default 'waiting',
    created_by text not null,
    created_at timestamptz not null default now(),
    -- The worker reported it; from then on its absence in a report is its end.
    taken_at timestamptz,
    ended_at timestamptz,
    lease_ends_at timestamptz not null,
    last_event bigint not null default 0,
    sent_in bigint,
    reason text,
    statistics jsonb
);
create index generations_live on generations (worker_id) where ended_at is null;

-- Batches as workers sent them: a JSON list of the events from first_id to last_id.
create unlogged table generation_events (
    generation_id uuid not null references generations on delete cascade,
    first_id bigint not null,
    last_id bigint not null,
    events jsonb not null,
    primary key (generation_id, first_id)
);
