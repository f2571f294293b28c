using System.Diagnostics;
using Hearth.Agent.Tests.Support;
using Hearth.Hardware;
using Xunit;

namespace Hearth.Agent.Tests;

public sealed class ProbeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void Without_a_card_the_processor_is_the_device_with_a_share_of_the_memory()
    {
        using var devices = new DeviceSet(Options("--probe", "cpu"));

        var device = Assert.Single(devices.All);
        Assert.Equal((DeviceKind.Cpu, 0), (device.Kind, device.Index));
        Assert.InRange(device.MemoryBytes, 1, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2);
        Assert.Equal(0, Assert.Single(devices.Read()).Index);
    }

    [Fact]
    public void A_machine_without_the_drivers_library_has_no_nvidia_card()
    {
        Assert.Null(NvmlProbe.TryOpen(_folder.At("libnothing.so")));
        Assert.Null(NvmlProbe.TryOpen("libc.so.6"));
    }

    [Fact]
    public void An_nvidia_card_is_read_by_its_drivers_calls_and_what_fails_is_null()
    {
        // The library's own signatures and units; temperature and utilisation answer NVML_ERROR_NOT_SUPPORTED, as some cards do.
        File.WriteAllText(_folder.At("nvml.c"), """
            #include <stdio.h>
            int nvmlInit_v2(void) { return 0; }
            int nvmlShutdown(void) { return 0; }
            int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
            int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **card) { *card = (void *)(unsigned long)(i + 1); return i == 1 ? 15 : 0; }
            int nvmlDeviceGetName(void *card, char *text, unsigned length) { snprintf(text, length, "NVIDIA GeForce RTX %d", 3089 + (int)(unsigned long)card); return 0; }
            int nvmlDeviceGetUUID(void *card, char *text, unsigned length) { snprintf(text, length, "GPU-1234"); return 0; }
            int nvmlDeviceGetMemoryInfo(void *card, unsigned long long *m) { m[0] = 25769803776ULL; m[1] = 25769802752ULL; m[2] = 1024; return 0; }
            int nvmlDeviceGetCudaComputeCapability(void *card, int *major, int *minor) { *major = 8; *minor = 6; return 0; }
            int nvmlDeviceGetUtilizationRates(void *card, unsigned *rates) { return 3; }
            int nvmlDeviceGetPowerUsage(void *card, unsigned *milliwatts) { *milliwatts = 345500; return 0; }
            int nvmlDeviceGetEnforcedPowerLimit(void *card, unsigned *milliwatts) { *milliwatts = 350000; return 0; }
            int nvmlDeviceGetTemperature(void *card, int sensor, unsigned *celsius) { return 3; }
            """);
        using (var compiler = Process.Start("gcc", ["-shared", "-fPIC", "-o", _folder.At("libnvml.so"), _folder.At("nvml.c")]))
        {
            compiler.WaitForExit();
            Assert.Equal(0, compiler.ExitCode);
        }

        using var probe = NvmlProbe.TryOpen(_folder.At("libnvml.so"))!;

        Assert.Equal(new DeviceInfo(0, DeviceKind.Cuda, "NVIDIA GeForce RTX 3090", "GPU-1234", 25769803776, "8.6"), Assert.Single(probe.Devices()));
        Assert.Equal(new DeviceReading(0, 1024, null, 345.5, 350, null), Assert.Single(probe.Read()));
    }

    [Fact]
    public void A_simulated_device_claims_what_its_file_says_and_follows_it()
    {
        string file = Write("[{\"model\": \"RTX 3090\", \"memory_bytes\": 1000, \"capability\": \"8.6\"}, {\"model\": \"RTX 3060\", \"memory_bytes\": 500, \"power_watts\": 90}]");
        using var devices = new DeviceSet(Options("--probe", "simulated:" + file));
        Assert.Equal(["RTX 3090", "RTX 3060"], devices.All.Select(d => d.Model));
        Assert.Equal(new DeviceInfo(0, DeviceKind.Simulated, "RTX 3090", "simulated-0", 1000, "8.6"), devices.All[0]);
        Assert.Equal(new DeviceReading(1, PowerWatts: 90), devices.Read()[1]);

        Write("[{\"model\": \"RTX 3090\", \"memory_bytes\": 1000}, {\"model\": \"RTX 3060\", \"memory_bytes\": 500, \"power_watts\": 120}]");

        Assert.Equal(120, devices.Read()[1].PowerWatts);
    }

    [Fact]
    public void Only_chosen_devices_are_offered_under_their_own_indices()
    {
        string file = Write("[{\"model\": \"a\", \"memory_bytes\": 1}, {\"model\": \"b\", \"memory_bytes\": 1}, {\"model\": \"c\", \"memory_bytes\": 1}]");
        using var devices = new DeviceSet(Options("--probe", "simulated:" + file, "--devices", "2,0"));

        Assert.Equal([(0, "a"), (2, "c")], devices.All.Select(d => (d.Index, d.Model)));
        Assert.Equal([0, 2], devices.Read().Select(r => r.Index));
        var wrong = Assert.Throws<UsageException>(() => new DeviceSet(Options("--probe", "simulated:" + file, "--devices", "3")));
        Assert.Equal("--devices names 3. Allowed: 0 (a), 1 (b), 2 (c).", wrong.Message);
    }

    [Theory]
    [InlineData("[]", "the list is empty")]
    [InlineData("[{\"model\": \"a\", \"memory_bytes\": 0}]", "memory_bytes 0")]
    [InlineData("{", "cannot be read")]
    public void A_wrong_file_is_refused_with_its_name(string text, string reason)
    {
        string file = Write(text);

        var wrong = Assert.Throws<UsageException>(() => new DeviceSet(Options("--probe", "simulated:" + file)));

        Assert.Contains(file, wrong.Message, StringComparison.Ordinal);
        Assert.Contains(reason, wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_amd_card_is_read_from_the_drivers_files_and_what_is_missing_is_null()
    {
        string card = _folder.At("card1", "device");
        Directory.CreateDirectory(Path.Combine(card, "hwmon", "hwmon3"));
        Directory.CreateDirectory(_folder.At("card1-DP-1", "device"));
        Directory.CreateDirectory(_folder.At("card0", "device"));
        File.WriteAllText(_folder.At("card0", "device", "vendor"), "0x8086\n");
        foreach (var (name, text) in new[]
        {
            ("vendor", "0x1002"), ("device", "0x744c"), ("unique_id", "abc123"), ("mem_info_vram_total", "25753026560"),
            ("mem_info_vram_used", "1024"), ("gpu_busy_percent", "37"), ("hwmon/hwmon3/power1_average", "85000000"), ("hwmon/hwmon3/temp1_input", "51000"),
        })
        {
            File.WriteAllText(Path.Combine(card, name), text + "\n");
        }

        using var probe = new AmdProbe(_folder.Path);

        Assert.Equal(new DeviceInfo(0, DeviceKind.Rocm, "AMD GPU 0x744c", "AMD-abc123", 25753026560), Assert.Single(probe.Devices()));
        Assert.Equal(new DeviceReading(0, 1024, 37, 85, null, 51), Assert.Single(probe.Read()));
    }

    public void Dispose() => _folder.Dispose();

    private string Write(string text)
    {
        File.WriteAllText(_folder.At("devices.json"), text);
        return _folder.At("devices.json");
    }

    private static AgentOptions Options(params string[] args) => AgentOptions.Parse(args, _ => null);
}
