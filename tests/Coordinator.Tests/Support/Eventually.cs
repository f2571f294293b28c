using Xunit;

namespace Hearth.Tests.Support;

/// <summary>Waits for conditions, never for times; a condition that does not come true fails by its name.</summary>
internal static class Eventually
{
    internal static async Task TrueAsync(Func<Task<bool>> condition, string what, double seconds = 30)
    {
        var deadline = DateTime.UtcNow.AddSeconds(seconds);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, $"not within {seconds} s: {what}");
            await Task.Delay(25);
        }
    }

    /// <summary>Reads until the value is as wanted; the value.</summary>
    internal static async Task<T> GetAsync<T>(Func<Task<T>> read, Func<T, bool> wanted, string what, double seconds = 30)
    {
        T value = default!;
        await TrueAsync(async () => wanted(value = await read()), what, seconds);
        return value;
    }
}
