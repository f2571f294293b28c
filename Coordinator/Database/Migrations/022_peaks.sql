-- Of the device's memory: what the attempt was forecast to hold when it was placed, and the most that its trainer says it held.
alter table attempts add column forecast_bytes bigint;
alter table attempts add column peak_bytes bigint;

-- What runs of one kind held at most on one model of device when they did all their steps, the newest last.
create table memory_peaks (
    -- SHA-256 of the parts of a spec that its forecast reads, but for the rows of the micro-batch.
    kind text not null,
    device_model text not null,
    micro_batch int not null,
    peaks bigint[] not null,
    primary key (kind, device_model, micro_batch)
);
