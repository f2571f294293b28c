using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, N oscillators, K hash tables.
namespace Hearth.Models.Positronic;

/// <summary>What one forward pass carries through the layers.</summary>
internal sealed record Pass(long Offset, ScalarType Compute, RopeTables Rope) : ForwardContext(Offset, Compute, Rope)
{
    /// <summary>Type of phases and memories: at least fp32.</summary>
    internal required ScalarType Wide { get; init; }

    internal required RingLayout Rings { get; init; }

    /// <summary>Fractal phases of the tokens [B,T,N]; null when off.</summary>
    internal Tensor? Seeds_BTN { get; init; }

    /// <summary>Rows of the hash tables laid end to end [B,T,K]; null when slots are off.</summary>
    internal Tensor? EngramRows_BTK { get; init; }

    /// <summary>Null when off.</summary>
    internal RingControllers.Trace? Controllers { get; init; }

    /// <summary>Per layer; each block leaves the memory after its rows. Empty when specialists are off.</summary>
    internal required RingMemory[] Memories { get; init; }

    internal required bool Writing { get; init; }

    /// <summary>Per layer, what the rows wrote.</summary>
    internal MemoryRows?[] Written { get; init; } = [];

    /// <summary>The same for one block that leaves nothing in this one.</summary>
    internal Pass Apart(RingControllers.Trace? controllers) =>
        this with { Controllers = controllers, Memories = [.. Memories], Written = [.. Written] };
}
