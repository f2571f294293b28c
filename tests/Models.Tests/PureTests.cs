using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Text.Json;
using Xunit;

namespace Hearth.Tests;

/// <summary>The coordinator plans and checks without libtorch: here the border throws as soon as it is touched.</summary>
public sealed class PureTests
{
    private const string Spec = """
        {"name":"x","model":{"family":"qovaryx","size":"1b"},"data":{"dataset":"d","seq_len":2048},"train":{"batch_tokens":8192}}
        """;

    [Fact]
    public void Plans_checks_and_costs_never_touch_the_native_library()
    {
        var context = new Alone();
        var torch = context.LoadFromAssemblyPath(typeof(TorchSharp.torch).Assembly.Location);
        int touched = 0;

        // An assembly takes one resolver; the binding's own set-up now fails, and so would any call behind it.
        NativeLibrary.SetDllImportResolver(torch, (_, _, _) =>
        {
            touched++;
            throw new DllNotFoundException();
        });
        var models = context.LoadFromAssemblyPath(typeof(Models.Families).Assembly.Location);
        var validate = models.GetType("Hearth.Models.RunChecks", true)!.GetMethod("Validate")!;

        object run = validate.Invoke(null, [JsonSerializer.Deserialize<JsonElement>(Spec)])!;
        object plan = run.GetType().GetProperty("Plan")!.GetValue(run)!;

        Assert.NotSame(typeof(Models.ModelPlan), plan.GetType().BaseType);
        Assert.Equal(1_053_966_336L, plan.GetType().GetProperty("Parameters")!.GetValue(plan));
        Assert.True((double)plan.GetType().GetMethod("FlopsPerToken")!.Invoke(plan, [2048])! > 6e9);
        Assert.Equal(0, touched);
        var seed = torch.GetType("TorchSharp.torch", true)!.GetMethod("manual_seed")!;
        Assert.Throws<TargetInvocationException>(() => seed.Invoke(null, [1L]));
    }

    private sealed class Alone() : AssemblyLoadContext("alone")
    {
        protected override Assembly? Load(AssemblyName name)
        {
            string beside = Path.Combine(AppContext.BaseDirectory, name.Name + ".dll");
            return name.Name!.StartsWith("Hearth.", StringComparison.Ordinal) || name.Name == "Shared" ? LoadFromAssemblyPath(beside) : null;
        }
    }
}
