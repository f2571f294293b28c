using System.CommandLine;
using System.Text.Json;
using Hearth.Cli.Pool;

namespace Hearth.Cli.Client;

/// <summary>Which coordinator a client command speaks to, and how it prints.</summary>
/// <param name="Url">Address of the coordinator.</param>
/// <param name="Token">Null when none was found.</param>
internal sealed record Connection(Uri Url, string? Token)
{
    /// <summary>
    /// <c>HEARTH_URL</c> and <c>HEARTH_TOKEN</c>; what is not given is taken from the pool of this machine: its port and the
    /// admin token beside it.
    /// </summary>
    /// <exception cref="CliException"><c>HEARTH_URL</c> is no address, or the token none.</exception>
    public static Connection Find(Func<string, string?> environment, string dataPath)
    {
        Uri? given = environment("HEARTH_URL") is { Length: > 0 } text
            ? Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
                ? address
                : throw new CliException($"HEARTH_URL is {text}. Allowed: http://HOST:PORT or https://HOST.", ExitCodes.BadInput)
            : null;
        string tokenPath = PoolFolder.TokenPathOf(dataPath);
        string? token = environment("HEARTH_TOKEN") is { Length: > 0 } secret
            ? secret.Trim()
            // The admin token of this machine's pool is of no use to another one, and must not be sent there.
            : (given is null || given.IsLoopback) && File.Exists(tokenPath) ? File.ReadAllText(tokenPath).Trim() : null;
        if (token?.All(letter => letter is > ' ' and <= '~') == false)
        {
            string source = environment("HEARTH_TOKEN") is { Length: > 0 } ? "HEARTH_TOKEN" : tokenPath;
            throw new CliException($"{source} holds characters that no token has. Allowed: a token as ./hearth tokens create prints it.", ExitCodes.BadInput);
        }

        return new Connection(given ?? new Uri($"http://localhost:{PoolFolder.ReadHolder(dataPath)?.Port ?? PoolOptions.DefaultPort}/"), token);
    }
}

/// <summary>Makes commands that speak to a coordinator: all have <c>--json</c> and <c>--data</c>.</summary>
internal sealed class ClientCommand
{
    public static Option<bool> Json { get; } = new("--json") { Description = "Print the API's JSON.", Recursive = true };

    public static Option<string> Data { get; } = new Option<string>("--data")
    {
        Description = "Folder of this machine's pool, where its address and token are found.",
        DefaultValueFactory = _ => PoolFolder.DefaultPath,
        Recursive = true,
    }.NotEmpty("the path of a folder");

    /// <summary>Runs a body with a client of the coordinator that environment and options name.</summary>
    public static void Bind(Command command, Func<ParseResult, ApiClient, Output, CancellationToken, Task<int>> body) =>
        command.SetAction((parsed, stop) => Guard.RunAsync(async () =>
        {
            var connection = Connection.Find(Environment.GetEnvironmentVariable, parsed.GetValue(Data)!);
            using var api = new ApiClient(connection.Url, connection.Token);
            return await body(parsed, api, new Output(Console.Out, parsed.GetValue(Json)), stop);
        }));

    public static Command Group(string name, string description, params Command[] commands)
    {
        var group = new Command(name, description) { Json, Data };
        foreach (var command in commands)
        {
            group.Add(command);
        }

        return group;
    }
}

/// <summary>Prints a value of the API: as its JSON, or in words.</summary>
internal sealed class Output(TextWriter writer, bool json)
{
    public bool IsJson => json;

    public int Show<T>(T value, Action<T> words)
    {
        if (json)
        {
            writer.WriteLine(JsonSerializer.Serialize(value, Hearth.Json.Pretty));
        }
        else
        {
            words(value);
        }

        return ExitCodes.Done;
    }

    public void Line(string text) => writer.WriteLine(text);

    /// <summary>Text without a line's end, shown at once.</summary>
    public void Part(string text)
    {
        writer.Write(text);
        writer.Flush();
    }

    /// <summary>Columns as wide as their widest cell; the last one is not padded.</summary>
    public void Table(IReadOnlyList<string> head, IEnumerable<IReadOnlyList<string>> rows)
    {
        foreach (string line in Columns([head, .. rows]))
        {
            writer.WriteLine(line);
        }
    }

    public static IEnumerable<string> Columns(IReadOnlyList<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Count).Select(c => rows.Max(r => r[c].Length))];
        return rows.Select(r => string.Join("  ", r.Select((cell, c) => c == r.Count - 1 ? cell : cell.PadRight(widths[c]))).TrimEnd());
    }
}
