using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary>Where a command computes: <c>--device</c> and <c>--threads</c>.</summary>
internal static class DeviceOptions
{
    public const string Device = "--device", Threads = "--threads";

    /// <summary>The device that is asked for, the CPU by default; sets the number of compute threads where one is given.</summary>
    /// <exception cref="BadInputException">There is no such device, or the number is out of range.</exception>
    public static Device Apply(Arguments arguments)
    {
        int threads = arguments.Integer(Threads, 0, 0, 1024);
        if (threads > 0)
        {
            torch.set_num_threads(threads);
        }

        string text = arguments.Text(Device) ?? "cpu";
        int devices = text == "cpu" ? 0 : cuda.device_count();
        string allowed = devices > 0 ? $"cpu, cuda:0 to cuda:{devices - 1}" : "cpu";
        try
        {
            var device = torch.device(text);
            return device.index < devices ? device : throw new BadInputException($"{Device} is {text}. Allowed here: {allowed}.");
        }
        catch (ArgumentException)
        {
            throw new BadInputException($"{Device} is {text}. Allowed here: {allowed}.");
        }
    }
}
