-- Which start of its agent speaks for a worker, and the number of its last report; null = an agent from before there were sessions.
alter table workers add column session_id uuid;
alter table workers add column session_report bigint not null default 0;
alter table workers add column session_host text not null default '';

-- What last went wrong between the worker and the pool.
alter table workers add column note text;
alter table workers add column noted_at timestamptz;

-- Sessions that a later one has ended.
create table ended_sessions (
    id uuid primary key,
    worker_id uuid not null references workers on delete cascade,
    ended_at timestamptz not null default now()
);
create index ended_sessions_worker on ended_sessions (worker_id, ended_at);
