-- Who schedules. Each activation of the scheduler takes the next term; what it applies names that term in its own transaction.
create table scheduler (
    one boolean primary key default true check (one),
    term bigint not null default 0,
    -- Address of the silo that took it; empty = nobody yet.
    holder text not null default '',
    taken_at timestamptz not null default now()
);
insert into scheduler default values;

-- The term under which an attempt was placed; null = before there were terms.
alter table attempts add column term bigint;

-- Membership of the coordinators' cluster: tables, columns, keys and parameters are named as Orleans' ADO.NET provider (10.4) asks for them.
-- A change of a row goes with a step of the table's version, in one statement: both or neither.
create schema orleans;

create table orleans.orleansmembershipversiontable (
    deploymentid text primary key,
    timestamp timestamptz(3) not null default now(),
    version int not null default 0
);

create table orleans.orleansmembershiptable (
    deploymentid text not null references orleans.orleansmembershipversiontable,
    address text not null,
    port int not null,
    generation int not null,
    siloname text not null,
    hostname text not null,
    -- 3 = active, 6 = dead
    status int not null,
    proxyport int,
    suspecttimes text,
    starttime timestamptz(3) not null,
    iamalivetime timestamptz(3) not null,
    primary key (deploymentid, address, port, generation)
);

create table orleans.orleansquery (querykey text primary key, querytext text not null);

insert into orleans.orleansquery values
('InsertMembershipVersionKey', '
    with made as (
        insert into orleansmembershipversiontable (deploymentid) values (@DeploymentId) on conflict do nothing returning version)
    select count(*)::int from made'),
('InsertMembershipKey', '
    with step as (
        update orleansmembershipversiontable t set version = t.version + 1, timestamp = now()
        where t.deploymentid = @DeploymentId and t.version = @Version and not exists (
            select from orleansmembershiptable m
            where m.deploymentid = t.deploymentid and m.address = @Address and m.port = @Port and m.generation = @Generation)
        returning t.deploymentid),
    made as (
        insert into orleansmembershiptable
            (deploymentid, address, port, generation, siloname, hostname, status, proxyport, starttime, iamalivetime)
        select step.deploymentid, @Address, @Port, @Generation, @SiloName, @HostName, @Status, @ProxyPort, @StartTime, @IAmAliveTime
        from step returning port)
    select count(*)::int from made'),
('UpdateMembershipKey', '
    with known as (
        select m.deploymentid from orleansmembershiptable m
        where m.deploymentid = @DeploymentId and m.address = @Address and m.port = @Port and m.generation = @Generation),
    step as (
        update orleansmembershipversiontable t set version = t.version + 1, timestamp = now() from known
        where t.deploymentid = known.deploymentid and t.version = @Version returning t.deploymentid),
    changed as (
        update orleansmembershiptable m
        set status = @Status, suspecttimes = @SuspectTimes, iamalivetime = greatest(m.iamalivetime, @IAmAliveTime) from step
        where m.deploymentid = step.deploymentid and m.address = @Address and m.port = @Port and m.generation = @Generation
        returning m.port)
    select count(*)::int from changed'),
('UpdateIAmAlivetimeKey', '
    update orleansmembershiptable set iamalivetime = greatest(iamalivetime, @IAmAliveTime)
    where deploymentid = @DeploymentId and address = @Address and port = @Port and generation = @Generation'),
('MembershipReadRowKey', '
    select t.deploymentid, t.version, m.address, m.port, m.generation, m.siloname, m.hostname, m.status, m.proxyport, m.suspecttimes,
        m.starttime, m.iamalivetime
    from orleansmembershipversiontable t left join orleansmembershiptable m
        on m.deploymentid = t.deploymentid and m.address = @Address and m.port = @Port and m.generation = @Generation
    where t.deploymentid = @DeploymentId'),
('MembershipReadAllKey', '
    select t.deploymentid, t.version, m.address, m.port, m.generation, m.siloname, m.hostname, m.status, m.proxyport, m.suspecttimes,
        m.starttime, m.iamalivetime
    from orleansmembershipversiontable t left join orleansmembershiptable m on m.deploymentid = t.deploymentid
    where t.deploymentid = @DeploymentId'),
('GatewaysQueryKey', '
    select address, proxyport, generation from orleansmembershiptable
    where deploymentid = @DeploymentId and status = @Status and proxyport > 0'),
('CleanupDefunctSiloEntriesKey', '
    delete from orleansmembershiptable
    where deploymentid = @DeploymentId and status = 6 and coalesce(suspecttimes, '''') = ''''
        and starttime < @IAmAliveTime and iamalivetime < @IAmAliveTime'),
('CleanupDefunctSiloEntryKey', '
    delete from orleansmembershiptable
    where deploymentid = @DeploymentId and address = @Address and port = @Port and generation = @Generation and status = 6
        and starttime = @StartTime and iamalivetime = @IAmAliveTime and coalesce(suspecttimes, '''') = coalesce(@SuspectTimes, '''')'),
('DeleteMembershipTableEntriesKey', '
    with rows as (delete from orleansmembershiptable where deploymentid = @DeploymentId)
    delete from orleansmembershipversiontable where deploymentid = @DeploymentId');
