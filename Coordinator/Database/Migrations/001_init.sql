-- Names of states are those of RunState and AttemptState in snake_case; a test freezes them.
create table runs (
    id uuid primary key,
    number bigint generated always as identity unique,
    name text not null,
    state text not null,
    -- Grows with every change of state: what was decided on an older one is not applied.
    version bigint not null default 1,
    -- Grows with every placement; an attempt's writes are fenced by its own.
    epoch bigint not null default 0,
    priority int not null,
    spec jsonb not null,
    family text not null generated always as (spec -> 'model' ->> 'family') stored,
    total_steps bigint not null generated always as ((spec -> 'train' ->> 'steps')::bigint) stored,
    parameters bigint not null,
    idempotency_key text,
    idempotency_sha256 bytea,
    created_by text not null,
    created_at timestamptz not null default now(),
    queued_at timestamptz not null default now(),
    not_before timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    -- Losses in a row without progress between them, and failures of the run's own.
    losses int not null default 0,
    errors int not null default 0,
    -- Most rows of a micro-batch, after running out of memory with more.
    micro_batch_limit int,
    reason text,
    step bigint not null default 0,
    tokens bigint not null default 0,
    loss double precision,
    validation_loss double precision,
    tokens_per_second double precision,
    sparkline real[] not null default '{}',
    trace text,
    progress_told_at timestamptz,
    unique (created_by, idempotency_key)
);
create index runs_live on runs (state) where state not in ('succeeded', 'failed', 'cancelled');

create table workers (
    id uuid primary key,
    name text not null,
    token_sha256 bytea not null unique,
    agent_version text not null,
    devices jsonb not null,
    readings jsonb not null default '[]',
    joined_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    draining boolean not null default false,
    removed boolean not null default false,
    -- What the event stream said last.
    told_online boolean not null default true,
    told_at timestamptz not null default now()
);

create unique index workers_name on workers (name) where not removed;

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
    -- The checkpoint it goes on from; null = from the start.
    checkpoint_id uuid,
    starting_what text,
    starting_fraction double precision,
    -- Serial of the answer that carried the assignment to its worker.
    sent_in bigint,
    assigned_at timestamptz not null default now(),
    first_heartbeat_at timestamptz,
    first_step_at timestamptz,
    ended_at timestamptz,
    lease_ends_at timestamptz not null,
    first_step bigint not null default 0,
    last_step bigint not null default 0,
    trace text,
    failure_code text,
    message text,
    unique (run_id, number)
);
-- Gang of one: a device holds one live attempt, a run has one.
create unique index attempts_device on attempts (worker_id, device_index) where ended_at is null;
create unique index attempts_run on attempts (run_id) where ended_at is null;
