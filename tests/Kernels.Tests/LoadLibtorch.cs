using System.Runtime.CompilerServices;
using Hearth.Kernels;

namespace Hearth.Tests;

internal static class LoadLibtorch
{
    [ModuleInitializer]
    internal static void Run() => Libtorch.Load();
}
