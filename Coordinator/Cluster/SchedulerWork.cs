namespace Hearth.Coordinator.Cluster;

/// <summary>What the scheduler does each time that it looks. The cluster says where and when; what it does is given to it.</summary>
/// <param name="term">In which it is begun.</param>
/// <param name="lossesKnown">Whether leases that ran out are losses.</param>
/// <param name="stop">Ends it.</param>
/// <exception cref="TermOverException">Another scheduler has begun a term.</exception>
public delegate Task SchedulerWork(SchedulerTerm term, bool lossesKnown, CancellationToken stop);
