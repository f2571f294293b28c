-- The greatest number of a stream's batches that was taken in. They come in order, so that a repeat is one no greater.
create table batch_heads (
    attempt_id uuid not null references attempts on delete cascade,
    stream text not null,
    last_sequence bigint not null,
    primary key (attempt_id, stream)
) with (fillfactor = 50);
insert into batch_heads (attempt_id, stream, last_sequence) select attempt_id, stream, max(sequence) from batches group by attempt_id, stream;
drop table batches;

-- Batches that wait for their compaction, in the order of their ids: of each key, packed points.
create table metric_tail (
    run_id uuid not null references runs on delete cascade,
    id bigint generated always as identity,
    attempt int not null,
    points int not null,
    keys text[] not null,
    chunks bytea[] not null,
    primary key (run_id, id)
);
alter table metric_tail alter column chunks set storage external;

-- What there was becomes a tail, its columns as they were behind a zero, and the next compactions make chunks and levels of it.
insert into metric_tail (run_id, attempt, points, keys, chunks)
select run_id, attempt, sum(octet_length(vals) / 4), array_agg(key order by part), array_agg('\x00'::bytea || steps || times || vals order by part)
from metric_chunks group by run_id, attempt, sequence order by run_id, attempt, sequence;
drop table metric_rollups;
drop table metric_chunks;
drop table metric_series;

-- How much waits of a run, and since when.
create table metric_heads (
    run_id uuid primary key references runs on delete cascade,
    batches bigint not null,
    points bigint not null,
    since timestamptz
) with (fillfactor = 50);
insert into metric_heads (run_id, batches, points, since) select run_id, count(*), sum(points), now() - interval '1 hour' from metric_tail group by run_id;

-- Steps of what is in chunks.
create table metric_series (
    run_id uuid not null references runs on delete cascade,
    key text not null,
    first_step bigint not null,
    last_step bigint not null,
    primary key (run_id, key)
);

-- Level 0 holds points, those above hold buckets, each chunk a fixed stretch of steps (ChunkGrid). Packed, so not to be compressed again.
create table metric_chunks (
    run_id uuid not null references runs on delete cascade,
    key text not null,
    level int not null,
    chunk bigint not null,
    data bytea not null,
    primary key (run_id, key, level, chunk)
);
alter table metric_chunks alter column data set storage external;
-- A series' last chunk is written anew by each compaction: what it leaves is to be used again soon.
alter table metric_chunks set (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);
alter table metric_tail set (autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);
