namespace Hearth.Cli.Pool;

/// <summary>A pool for one purpose: a demo or a measurement.</summary>
internal static class PrivatePool
{
    /// <summary>Starts a pool, uses it and stops it. Its temporary folder is removed when all held, and kept for looking when not.</summary>
    /// <param name="options">Of the pool.</param>
    /// <param name="temporary">Whether the folder is ours to remove.</param>
    /// <param name="say">Told in sentences what happens.</param>
    /// <param name="use">Returns whether what it set out to do held.</param>
    /// <param name="stop">Ends it all, in order.</param>
    public static async Task<bool> UseAsync(PoolOptions options, bool temporary, Action<string> say, Func<LocalPool, Task<bool>> use, CancellationToken stop)
    {
        bool held = false;
        try
        {
            await using var pool = await LocalPool.StartAsync(options, say, stop);
            held = await use(pool);
        }
        finally
        {
            if (temporary && held)
            {
                Directory.Delete(options.DataPath, recursive: true);
            }
            else if (temporary)
            {
                say($"Logs and all else that it wrote are kept in {options.DataPath}.");
            }
        }

        return held;
    }
}
