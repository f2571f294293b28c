using Xunit;

namespace Hearth.Tests;

public sealed class DiskSpaceTests
{
    [Theory]
    [InlineData(28, "a disk of Linux", true)]
    [InlineData(122, "a quota of Linux", true)]
    [InlineData(unchecked((int)0x80070027), "a disk of Windows", true)]
    [InlineData(unchecked((int)0x80070070), "a disk of Windows", true)]
    [InlineData(unchecked((int)0x80131620), "write: No space left on device", true)]
    [InlineData(39, "Directory not empty", false)]
    [InlineData(112, "Host is down", false)]
    [InlineData(2, "No such file", false)]
    public void A_disk_that_is_full_is_told_from_other_faults(int code, string message, bool full) => Assert.Equal(full, DiskSpace.RanOut(new IOException(message, code)));

    [SkippableFact]
    public void A_disk_that_really_is_full_is_told_by_every_way_of_writing_and_takes_files_again_once_there_is_room()
    {
        using var disk = new MountedDisk(64);
        disk.Fill();

        Assert.True(DiskSpace.RanOut(Assert.ThrowsAny<IOException>(() => File.WriteAllText(disk.At("text"), "words"))));
        Assert.True(DiskSpace.RanOut(Assert.ThrowsAny<IOException>(() => File.Copy(typeof(DiskSpace).Assembly.Location, disk.At("copy")))));
        Assert.True(DiskSpace.RanOut(Assert.ThrowsAny<IOException>(() =>
        {
            using var file = File.Create(disk.At("buffered"));
            file.Write(new byte[8192]);
            file.Flush(flushToDisk: true);
        })));

        disk.Free();
        File.WriteAllText(disk.At("text"), "words");
        Assert.Equal("words", File.ReadAllText(disk.At("text")));
    }

    [Fact]
    public void Only_what_reads_or_writes_meets_a_full_disk() => Assert.False(DiskSpace.RanOut(new InvalidOperationException("No space left on device")));
}
