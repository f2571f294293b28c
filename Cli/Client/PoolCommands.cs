using System.CommandLine;
using Hearth.Api;

namespace Hearth.Cli.Client;

/// <summary><c>workers</c> and <c>tokens</c>.</summary>
internal static class PoolCommands
{
    public static Command Workers()
    {
        var list = new Command("list", "Machines of the pool and their devices.");
        ClientCommand.Bind(list, async (_, api, output, stop) => output.Show(
            await api.GetAsync<IReadOnlyList<WorkerView>>("workers", stop),
            all => output.Table(["device", "model", "memory", "state", "run"], all.SelectMany(w => w.Devices.Select(d => DeviceRow(w, d))))));

        var code = new Command("join-code", "A code that one new machine may use, and the line to paste there.");
        ClientCommand.Bind(code, async (_, api, output, stop) => output.Show(
            await api.PostAsync<JoinCodeView>("workers/join-codes", null, stop),
            c => output.Line($"{c.Command}\nThe code {c.Code} holds until {c.ExpiresAt.ToLocalTime():HH:mm}.")));
        return ClientCommand.Group("workers", "Machines of the pool.", list, code);
    }

    public static Command Tokens()
    {
        var list = new Command("list", "Tokens, without their secrets.");
        ClientCommand.Bind(list, async (_, api, output, stop) => output.Show(
            await api.GetAsync<IReadOnlyList<TokenView>>("tokens", stop),
            all => output.Table(["name", "role", "expires", "id"], all.Select(t => new[] { t.Name, t.Role, t.ExpiresAt is { } at ? $"{at.ToLocalTime():yyyy-MM-dd}" : "never", t.Id.ToString() }))));

        var name = new Argument<string>("name") { Description = "Who or what will use it." };
        var role = new Option<string>("--role") { Description = "admin, submit or view.", DefaultValueFactory = _ => "view" };
        var days = Given.Optional<int>("--days", "Days until it expires; never when left out.");
        var create = new Command("create", "Make a token; its secret is shown once.") { name, role, days };
        ClientCommand.Bind(create, async (parsed, api, output, stop) => output.Show(
            await api.PostAsync<TokenView>("tokens", new CreateToken(parsed.GetRequiredValue(name), parsed.GetValue(role)!, parsed.GetValue(days)), stop),
            t => output.Line(t.Secret ?? "")));

        var id = Given.Id("id", "Of the token, as tokens list shows it.");
        var revoke = new Command("revoke", "End a token.") { id };
        ClientCommand.Bind(revoke, async (parsed, api, _, stop) =>
        {
            await api.DeleteAsync($"tokens/{parsed.GetRequiredValue(id)}", stop);
            return ExitCodes.Done;
        });
        return ClientCommand.Group("tokens", "Who may use the pool.", list, create, revoke);
    }

    private static string[] DeviceRow(WorkerView worker, DeviceView device) =>
    [
        device.Name, device.Info.Model, Text.Gigabytes(device.Info.MemoryBytes),
        !worker.Online ? $"away for {Text.Span(DateTimeOffset.UtcNow - worker.SeenAt)}" : worker.Draining ? "draining" : device.RunId is null ? "free" : "busy",
        device.RunName ?? "",
    ];
}
