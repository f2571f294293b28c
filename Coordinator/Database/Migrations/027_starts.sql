-- The checkpoint whose weights and tokenizer a run began with; held from removal until the run has ended.
alter table runs add column start_checkpoint uuid references checkpoints on delete set null;
create index runs_start on runs (start_checkpoint) where start_checkpoint is not null;
