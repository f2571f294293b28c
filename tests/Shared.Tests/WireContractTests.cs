using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using MessagePack;
using Xunit;

namespace Hearth.Tests;

/// <summary>
/// What is on wires, in rows and on disks by name or number: enums, the words that tell events apart, and the keys of MessagePack. Other versions read them, so
/// nothing of <c>wire.txt</c> may change or go; what is new is added. Set HEARTH_UPDATE_WIRE=1 to write the file anew, and look at the difference.
/// </summary>
public sealed class WireContractTests
{
    private const string Update = "HEARTH_UPDATE_WIRE";

    [Fact]
    public void Nothing_that_is_sent_or_stored_by_name_or_number_has_changed()
    {
        string now = Describe();
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            File.WriteAllText(Snapshot(), now);
        }

        Assert.Equal(File.ReadAllText(Snapshot()).Split('\n'), now.Split('\n'));
    }

    [Fact]
    public void Every_member_of_a_MessagePack_contract_has_a_number_of_its_own_without_a_gap()
    {
        Assert.NotEmpty(Contracts());
        Assert.All(Contracts(), contract => Assert.Equal(Enumerable.Range(0, Keys(contract).Count).Select(i => (int?)i), Keys(contract).Select(k => k.Number)));
    }

    private static IEnumerable<Type> All() => typeof(Json).Assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal);

    private static IEnumerable<Type> Contracts() => All().Where(t => t.GetCustomAttribute<MessagePackObjectAttribute>() is not null);

    private static List<(int? Number, PropertyInfo Member)> Keys(Type contract) =>
        [.. contract.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetCustomAttribute<IgnoreMemberAttribute>() is null)
            .Select(p => (p.GetCustomAttribute<KeyAttribute>()?.IntKey, p)).OrderBy(k => k.Item1)];

    private static string Describe()
    {
        var text = new StringBuilder();
        foreach (var type in All().Where(t => t.IsEnum))
        {
            text.Append($"enum {type.FullName}\n");
            foreach (object value in Enum.GetValues(type))
            {
                text.Append($"  {Convert.ToInt64(value, null)} {value} {JsonSerializer.Serialize(value, type, Json.Wire).Trim('"')}\n");
            }
        }

        foreach (var type in All().Where(t => t.GetCustomAttributes<JsonDerivedTypeAttribute>(inherit: false).Any()))
        {
            text.Append($"words of {type.FullName}\n");
            foreach (var derived in type.GetCustomAttributes<JsonDerivedTypeAttribute>(inherit: false))
            {
                text.Append($"  {derived.TypeDiscriminator} {derived.DerivedType.Name}\n");
            }
        }

        foreach (var type in Contracts())
        {
            text.Append($"MessagePack {type.FullName}\n");
            foreach (var (number, member) in Keys(type))
            {
                text.Append($"  {number} {member.Name} {Name(member.PropertyType)}\n");
            }
        }

        return text.ToString();
    }

    private static string Name(Type type) => type.IsGenericType ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : type.Name;

    private static string Snapshot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("the repository's root was not found");
        }

        return Path.Combine(folder.FullName, "tests", "Shared.Tests", "wire.txt");
    }
}
