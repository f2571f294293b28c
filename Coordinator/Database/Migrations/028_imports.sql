-- Files on their way to a dataset, in parts as they come. A part is a blob, so that whichever coordinator is asked goes on with it.
create table dataset_uploads (
    id uuid primary key,
    file_name text not null,
    -- As announced; null = the sender does not know.
    bytes bigint,
    created_by text not null,
    created_at timestamptz not null default now(),
    touched_at timestamptz not null default now()
);

create table dataset_upload_parts (
    upload_id uuid not null references dataset_uploads on delete cascade,
    starts_at bigint not null,
    bytes bigint not null,
    sha256 text not null references blobs,
    primary key (upload_id, starts_at)
);
create index dataset_upload_parts_blob on dataset_upload_parts (sha256);

-- What is to become a dataset, and what came of it.
create table dataset_imports (
    id uuid primary key,
    name text not null,
    license text not null,
    source jsonb not null,
    state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
    stage text not null default 'waiting',
    bytes_read bigint not null default 0,
    bytes_total bigint,
    documents bigint not null default 0,
    bad_rows bigint not null default 0,
    duplicates bigint not null default 0,
    -- How often it was begun; one that was cut short is begun anew.
    tries int not null default 0,
    cancel_asked boolean not null default false,
    error jsonb,
    dataset_id uuid references datasets on delete set null,
    created_by text not null,
    created_at timestamptz not null default now(),
    began_at timestamptz,
    ended_at timestamptz
);
create index dataset_imports_open on dataset_imports (created_at) where state in ('queued', 'running');
