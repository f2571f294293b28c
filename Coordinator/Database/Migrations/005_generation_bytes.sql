-- Forecast of what answering takes: two models that answer at once on one device need both.
alter table generations add column bytes bigint not null default 0;
