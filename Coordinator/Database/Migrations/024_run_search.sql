-- What a filter's text is looked for in, in small letters: name, number and tags, a line each. Reading it opens no spec.
alter table runs add column search text not null
    generated always as (lower(name || E'\nr-' || number::text || E'\n' || coalesce(spec -> 'run' ->> 'tags', ''))) stored;
-- Counts the runs of a list without reading them.
create index runs_states on runs (state, family);
