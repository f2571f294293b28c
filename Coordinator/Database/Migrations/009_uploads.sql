-- Uploads in parts that attempts are at. One that is asked for again goes on where it was.
create table uploads (
    attempt_id uuid not null references attempts on delete cascade,
    sha256 text not null,
    upload text not null,
    bytes bigint not null,
    part_bytes bigint not null,
    begun_at timestamptz not null default now(),
    primary key (attempt_id, sha256)
);
