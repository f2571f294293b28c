-- What each recurring job did last. Whose turn it is lies with Hangfire, in the schema that it makes for itself.
create table jobs (
    name text primary key,
    -- Of the try that goes on, or was cut short.
    began_at timestamptz not null,
    -- Of the last one that came to its end.
    started_at timestamptz,
    seconds double precision,
    failed boolean not null default false,
    result text
);
