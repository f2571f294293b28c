using System.Diagnostics;
using Xunit;

namespace Hearth.Tests;

/// <summary>
/// A small disk of memory that really runs full. Root mounts it; anybody else has it in a mount namespace of a process of his own, through whose entry
/// in <c>/proc</c> every program of this account reaches it. Where neither is allowed, the test that asks for it is skipped.
/// </summary>
internal sealed class MountedDisk : IDisposable
{
    private readonly string _point = Directory.CreateTempSubdirectory("hearth-disk-").FullName;
    private readonly Process? _holder;

    /// <param name="kilobytes">What it holds, in pages of 4 KiB.</param>
    public MountedDisk(int kilobytes)
    {
        string size = $"size={kilobytes}k";
        if (OperatingSystem.IsLinux() && Run("mount", "-t", "tmpfs", "-o", size, "none", _point))
        {
            Path = _point;
            return;
        }

        _holder = OperatingSystem.IsLinux() ? Hold(size) : null;
        if (_holder is null)
        {
            Directory.Delete(_point);
        }

        Skip.If(_holder is null, "this account may mount nothing here, neither as root nor in a user namespace of its own (unshare -Urm)");
        Path = $"/proc/{_holder!.Id}/root{_point}";
    }

    /// <summary>Its root folder.</summary>
    public string Path { get; }

    private string Ballast => At("ballast");

    public string At(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Takes all room that is left. May be repeated when something else freed some.</summary>
    public void Fill()
    {
        using var file = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (int length = 1 << 16; length > 0; length /= 16)
        {
            byte[] some = new byte[length];
            try
            {
                while (true)
                {
                    file.Write(some);
                }
            }
            catch (IOException e) when (DiskSpace.RanOut(e))
            {
                // Smaller pieces may still fit.
            }
        }
    }

    /// <summary>Gives back all that <see cref="Fill"/> took.</summary>
    public void Free() => File.Delete(Ballast);

    public void Dispose()
    {
        if (_holder is null)
        {
            Run("umount", "-l", _point);
        }
        else
        {
            // The namespace goes with its last process, and the disk with it.
            _holder.StandardInput.Close();
            _holder.WaitForExit();
            _holder.Dispose();
        }

        Directory.Delete(_point);
    }

    // It ends with its standard input, so also when this process is killed.
    private Process? Hold(string size)
    {
        var start = new ProcessStartInfo("unshare", ["-Urm", "sh", "-c", "mount -t tmpfs -o \"$0\" none \"$1\" && echo mounted && exec cat", size, _point])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var holder = Process.Start(start)!;
        if (holder.StandardOutput.ReadLine() == "mounted")
        {
            return holder;
        }

        holder.WaitForExit();
        holder.Dispose();
        return null;
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
