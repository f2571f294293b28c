namespace Hearth.Models;

/// <summary>A model that keeps a memory between texts while it generates.</summary>
public interface IRingMemory
{
    /// <summary>Whether a new text starts from what earlier ones left; by default each starts empty.</summary>
    bool KeepRingMemory { get; set; }

    /// <summary>Whether texts that begin from now on write; a frozen memory is still read.</summary>
    void SetRingMemoryWriting(bool on);

    void ResetRingMemory();
}
