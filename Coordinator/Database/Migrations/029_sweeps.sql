-- Many runs that differ in a few fields, and what is decided of them.
create table sweeps (
    id uuid primary key,
    number bigint generated always as identity unique,
    name text not null,
    -- running, done or cancelled.
    state text not null default 'running',
    -- As it was submitted.
    request jsonb not null,
    best_trial int,
    idempotency_key text,
    idempotency_sha256 bytea,
    created_by text not null,
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    unique (created_by, idempotency_key)
);
create index sweeps_running on sweeps (id) where state = 'running';

-- Runs that belong to a sweep; where a run has a step to wait at, its attempt ends there with a checkpoint and it pauses.
alter table runs add column sweep_id uuid references sweeps;
alter table runs add column pause_at_step bigint;

-- What a trial is to be. Its run is brought there: submitted, resumed to the step of its rung, or cancelled.
create table sweep_trials (
    sweep_id uuid not null references sweeps,
    number int not null,
    -- The fields that it sets, by their paths.
    setting jsonb not null,
    bracket int not null,
    rung int not null,
    status text not null,
    tokens_per_step bigint not null,
    -- The metric at each rung that it reached.
    results jsonb not null default '{}',
    run_id uuid references runs,
    -- Whether the run is as the trial is to be, so that nothing is left to do for it.
    settled boolean not null default false,
    primary key (sweep_id, number)
);

create table sweep_decisions (
    id bigint generated always as identity primary key,
    sweep_id uuid not null references sweeps,
    at timestamptz not null default now(),
    trial int,
    sentence text not null
);
create index sweep_decisions_of on sweep_decisions (sweep_id, id);
