-- Runs that are submitted by the clock. A fire's run has the idempotency key schedule:ID:TIME, so that one fire is one run.
create table schedules (
    id uuid primary key,
    name text not null unique,
    -- As it was given; read anew at each fire, as a submission of that moment would be.
    spec jsonb not null,
    cron text not null,
    zone text not null,
    skip_while_running boolean not null,
    enabled boolean not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    -- Fires up to here are not made up for: when it was made, switched on or given other times.
    armed_at timestamptz not null default now(),
    -- The last fire that was dealt with, and what came of it.
    last_fire_at timestamptz,
    last_result text,
    last_run_id uuid references runs on delete set null
);
-- What a schedule looks for before it fires.
create index runs_scheduled on runs (idempotency_key text_pattern_ops) where idempotency_key like 'schedule:%';
