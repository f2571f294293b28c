-- Names of states are those of RunState and AttemptState in snake_case; a test freezes them.
create table runs (
    id uuid primary key,
    number bigint generated always as identity unique,
    name text not null,
    state text not null,
    version bigint not null default 1,
    priority int not null,
    spec jsonb not null,
    idempotency_key text unique,
    created_by text not null,
    created_at timestamptz not null default now(),
    queued_at timestamptz not null default now(),
    not_before timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    step bigint not null default 0,
    losses int not null default 0,
    errors int not null default 0,
    reason text,
    trace text
);
create index runs_live on runs (state) where state not in ('succeeded', 'failed', 'cancelled');

create table workers (
    id uuid primary key,
    name text not null unique,
    token_sha256 bytea not null unique,
    agent_version text not null,
    devices jsonb not null,
    joined_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    draining boolean not null default false,
    removed boolean not null default false
);

create table attempts (
    id uuid primary key,
    run_id uuid not null references runs on delete cascade,
    number int not null,
    epoch bigint not null,
    worker_id uuid not null references workers,
    device_index int not null,
    micro_batch int not null,
    state text not null,
    stop_requested boolean not null default false,
    kill_requested boolean not null default false,
    assigned_at timestamptz not null default now(),
    first_heartbeat_at timestamptz,
    first_step_at timestamptz,
    ended_at timestamptz,
    lease_ends_at timestamptz not null,
    first_step bigint not null default 0,
    last_step bigint not null default 0,
    trace text,
    message text,
    unique (run_id, number)
);
-- Gang of one: a device holds one live attempt, a run has one.
create unique index attempts_device on attempts (worker_id, device_index) where ended_at is null;
create unique index attempts_run on attempts (run_id) where ended_at is null;
