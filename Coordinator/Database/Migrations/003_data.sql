-- What the object store is to hold. A row is wanted until wanted_at is an hour ago, its writer is over, and nothing refers to it.
create table blobs (
    sha256 text primary key,
    wanted_at timestamptz not null default now(),
    wanted_by uuid references attempts on delete set null,
    -- Somebody read damaged bytes then: only what was written later counts as stored.
    suspect_at timestamptz
);

create table checkpoints (
    id uuid primary key,
    run_id uuid not null references runs on delete cascade,
    attempt_id uuid not null references attempts on delete cascade,
    step bigint not null,
    identity text not null,
    trace text not null,
    bytes bigint not null,
    pause_seconds double precision not null,
    write_seconds double precision not null,
    status text not null default 'kept',
    note text,
    created_at timestamptz not null default now(),
    unique (run_id, step, identity)
);
create table checkpoint_files (
    checkpoint_id uuid not null references checkpoints on delete cascade,
    name text not null,
    sha256 text not null references blobs,
    bytes bigint not null,
    primary key (checkpoint_id, name)
);
create index checkpoint_files_blob on checkpoint_files (sha256);

create table datasets (
    id uuid primary key,
    name text not null unique,
    kind text not null,
    license text not null,
    files int not null,
    documents bigint not null,
    content_sha256 text not null,
    sha256 text not null references blobs,
    bytes bigint not null,
    created_by text not null,
    created_at timestamptz not null default now()
);
create index datasets_blob on datasets (sha256);

-- Tokenised once for each (content, vocabulary, validation share); two datasets of equal content share it.
create table prepared (
    key text primary key,
    content_sha256 text not null,
    vocab_size int not null,
    tokens bigint not null,
    created_at timestamptz not null default now()
);
create index prepared_content on prepared (content_sha256);
create table prepared_files (
    key text not null references prepared on delete cascade,
    name text not null,
    sha256 text not null references blobs,
    bytes bigint not null,
    primary key (key, name)
);
create index prepared_files_blob on prepared_files (sha256);

-- Numbered batches that were taken in; a repeat finds its number here.
create table batches (
    attempt_id uuid not null references attempts on delete cascade,
    stream text not null,
    sequence bigint not null,
    primary key (attempt_id, stream, sequence)
);

create table metric_series (
    run_id uuid not null references runs on delete cascade,
    key text not null,
    first_step bigint not null,
    last_step bigint not null,
    primary key (run_id, key)
);

-- Columns as little-endian int64, float32 and int64 (milliseconds since 1970) of equal count.
create table metric_chunks (
    run_id uuid not null references runs on delete cascade,
    key text not null,
    attempt int not null,
    sequence bigint not null,
    part int not null,
    first_step bigint not null,
    last_step bigint not null,
    steps bytea not null,
    vals bytea not null,
    times bytea not null,
    primary key (run_id, key, attempt, sequence, part)
);
create index metric_chunks_steps on metric_chunks (run_id, key, last_step);

-- Buckets of `level` steps, aligned to multiples of it, over the points that count (a later attempt's win).
create table metric_rollups (
    run_id uuid not null references runs on delete cascade,
    key text not null,
    level int not null,
    bucket bigint not null,
    first_step bigint not null,
    first_time bigint not null,
    points bigint not null,
    total double precision not null,
    low real not null,
    high real not null,
    primary key (run_id, key, level, bucket)
);

create table samples (
    id bigint generated always as identity primary key,
    run_id uuid not null references runs on delete cascade,
    attempt int not null,
    step bigint not null,
    at timestamptz not null default now(),
    prompt text not null,
    text text not null
);
create index samples_run on samples (run_id, step);

create table log_heads (
    run_id uuid primary key references runs on delete cascade,
    last_id bigint not null
);
create table log_chunks (
    run_id uuid not null references runs on delete cascade,
    last_id bigint not null,
    first_id bigint not null,
    attempt int not null,
    times timestamptz[] not null,
    levels text[] not null,
    texts text[] not null,
    primary key (run_id, last_id)
);
