namespace Hearth.Coordinator.Cluster;

/// <summary>
/// Whether a silent worker may be called lost. Not in the first lease period of a scheduler, nor after one in which it did not look:
/// workers may have had nobody to report to.
/// </summary>
internal sealed class LossWatch(TimeProvider time, TimeSpan lease)
{
    private long _since = time.GetTimestamp();
    private long _looked = time.GetTimestamp();

    /// <summary>Looks now.</summary>
    /// <returns>Whether it has been looking for a whole lease without a gap.</returns>
    internal bool Look()
    {
        if (time.GetElapsedTime(_looked) > lease / 2)
        {
            _since = time.GetTimestamp();
        }

        _looked = time.GetTimestamp();
        return time.GetElapsedTime(_since) > lease;
    }
}
