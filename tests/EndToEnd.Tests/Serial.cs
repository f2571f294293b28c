using Xunit;

// Every test has the whole pool, and with it the machine, to itself.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
