using Xunit;

// libtorch's generators, thread count and live tensors belong to the process, so tests take turns.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
