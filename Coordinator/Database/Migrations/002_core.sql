-- Secrets are stored as SHA-256 of random values of 256 bits (tokens) or short life (codes).
create table tokens (
    id uuid primary key,
    name text not null,
    role text not null,
    sha256 bytea not null unique,
    created_at timestamptz not null default now(),
    expires_at timestamptz
);

create table join_codes (
    sha256 bytea primary key,
    created_by text not null,
    expires_at timestamptz not null,
    used_at timestamptz
);

-- What the event stream tells. Ids ascend in the order of commits (EventLog takes a lock), so a reader can resume by id.
create table events (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    kind text not null,
    run_id uuid,
    data jsonb not null
);

create table run_notes (
    id bigint generated always as identity primary key,
    run_id uuid not null references runs on delete cascade,
    at timestamptz not null default now(),
    kind text not null,
    text text not null,
    step bigint
);
create index run_notes_run on run_notes (run_id, id);

-- What a worker is to tell an attempt. A row goes with its attempt's end; checkpoint and sample also once they arrived.
create table attempt_commands (
    id bigint generated always as identity primary key,
    attempt_id uuid not null references attempts on delete cascade,
    kind text not null,
    prompt text,
    max_tokens int,
    temperature double precision,
    sent_in bigint
);
create index attempt_commands_attempt on attempt_commands (attempt_id);
create sequence sync_serial;
