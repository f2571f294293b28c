using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Vuaf;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>
/// A model to be given away: <c>model.safetensors</c>, <c>config.json</c>, the tokenizer's files and those that others generate by (<see cref="GenerationFiles"/>). VUAF's config and tokenizer files are
/// those of its published runtime; the other families' config holds <c>family</c>, <c>size</c> and every field.
/// </summary>
public static class PublishedFolder
{
    public const string WeightsName = VuafFolder.WeightsName, ConfigName = VuafFolder.ConfigName;
    private const long LargestConfig = 1 << 20;
    private const string Family = "family", Size = "size", TokenizerHash = "tokenizer_sha256", Tuned = "tuned";

    public static bool Is(string folder) => File.Exists(Path.Combine(folder, WeightsName));

    /// <summary>Writes a model and its tokenizer into a folder that is new or empty.</summary>
    /// <exception cref="BadInputException">The folder holds something.</exception>
    /// <exception cref="TokenizerException">A SentencePiece tokenizer's special ids are not VUAF's.</exception>
    public static void Write(TrainedModel trained, string folder)
    {
        var (model, tokenizer) = trained;
        CheckEmpty(folder);
        if (model is VuafModel vuaf)
        {
            if (tokenizer is SentencePieceTokenizer pieces)
            {
                VuafTokenizerFolder.Write(folder, pieces);
            }

            VuafFolder.Save(vuaf, folder, tokenizer.Sha256);
        }
        else
        {
            Directory.CreateDirectory(folder);
            using var scope = NewDisposeScope();
            using var stream = File.Create(Path.Combine(folder, WeightsName));
            SafetensorsWriter.Write(stream, [.. model.NamedParameters.Select(p => (p.Name, p.Value.detach().cpu().contiguous()))], SafetensorsWriter.PyTorch);
            var config = new JsonObject { [Family] = model.Plan.Family, [Size] = model.Plan.Size, [TokenizerHash] = tokenizer.Sha256 };
            foreach (var (name, value) in model.Plan.Config)
            {
                config[name] = value?.DeepClone();
            }

            if (trained.Tuning is { } tuning)
            {
                config[Tuned] = JsonSerializer.SerializeToNode(tuning, Json.Wire);
            }

            File.WriteAllBytes(Path.Combine(folder, ConfigName), JsonSerializer.SerializeToUtf8Bytes(config, Json.Pretty));
        }

        if (!(model is VuafModel && tokenizer is SentencePieceTokenizer))
        {
            File.WriteAllBytes(Path.Combine(folder, tokenizer.FileName), tokenizer.File);
            GenerationFiles.Write(trained, folder);
        }
    }

    /// <summary>Reads a folder strictly. Nothing of the model's size is allocated before the file is found to hold that much.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="device">Where the model is to be.</param>
    /// <param name="dtype">fp32 or fp64; null = fp64 where the file holds any such tensor, else fp32.</param>
    /// <exception cref="BadInputException">A file, a field or a tensor is wrong; names it.</exception>
    /// <exception cref="SafetensorsException">The weights' file is broken; names the tensor.</exception>
    /// <exception cref="TokenizerException">The tokenizer is wrong or another one; names the field or both hashes.</exception>
    public static TrainedModel Read(string folder, Device device, ScalarType? dtype = null)
    {
        var config = ReadConfig(folder);
        var plan = Plan(folder, config);
        string weights = Path.Combine(folder, WeightsName);
        if (!File.Exists(weights))
        {
            throw new BadInputException($"{folder} has no {WeightsName}. Allowed: a folder with {WeightsName}, {ConfigName} and a tokenizer.");
        }

        bool wide = CheckTensors(plan, weights);
        var tokenizer = ReadTokenizer(folder, plan, config);
        var model = plan.Build(dtype ?? (wide ? float64 : float32), device, seed: null);
        TensorFile.Load(weights, [.. model.NamedParameters], convert: true);
        return new TrainedModel(model, tokenizer) { Tuning = Tuning(config) };
    }

    /// <summary>What a run may begin with: the plan and the tokenizer of a folder, checked as <see cref="Read"/> does, without its weights.</summary>
    internal static (ModelPlan Plan, ITokenizer Tokenizer) Describe(string folder)
    {
        var config = ReadConfig(folder);
        var plan = Plan(folder, config);
        CheckTensors(plan, Path.Combine(folder, WeightsName));
        return (plan, ReadTokenizer(folder, plan, config));
    }

    private static SftSpec? Tuning(Dictionary<string, JsonElement> config)
    {
        try
        {
            return config.TryGetValue(Tuned, out var tuned) ? tuned.Deserialize<SftSpec>(Json.Wire) : null;
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{ConfigName}: {Tuned} is no object with template and category: {e.Message}");
        }
    }

    /// <exception cref="BadInputException">The folder is there and holds something.</exception>
    internal static void CheckEmpty(string folder)
    {
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new BadInputException($"{folder} is there already. Allowed: a folder that is new or empty.");
        }
    }

    private static ModelPlan Plan(string folder, Dictionary<string, JsonElement> config)
    {
        if (!config.ContainsKey(Family))
        {
            try
            {
                return VuafFolder.Plan(folder);
            }
            catch (InvalidDataException e)
            {
                throw new BadInputException(e.Message);
            }
        }

        string[] own = [Family, Size, TokenizerHash, Tuned];
        var errors = new List<FieldError>();
        var spec = new ModelSpec
        {
            Family = Word(config, Family),
            Size = Word(config, Size),
            Overrides = config.Where(field => !own.Contains(field.Key)).ToDictionary(StringComparer.Ordinal),
        };
        return Families.Plan(spec, errors) ?? throw new BadInputException($"{ConfigName}: {string.Join(" ", errors.Select(e => e.Message))}");
    }

    private static string Word(Dictionary<string, JsonElement> config, string name) =>
        config.TryGetValue(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new BadInputException($"{ConfigName}: {name} is {(value.ValueKind == JsonValueKind.Undefined ? "missing" : value.GetRawText())}. Allowed: text.");

    private static Dictionary<string, JsonElement> ReadConfig(string folder)
    {
        var file = new FileInfo(Path.Combine(folder, ConfigName));
        if (!file.Exists)
        {
            throw new BadInputException($"{folder} has no {ConfigName}.");
        }

        if (file.Length > LargestConfig)
        {
            throw new BadInputException($"{ConfigName} has {file.Length} bytes. Allowed: at most {LargestConfig}.");
        }

        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllBytes(file.FullName)) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{ConfigName} is no JSON object: {e.Message}");
        }
    }

    private static bool CheckTensors(ModelPlan plan, string path)
    {
        using var file = SafetensorsReader.Open(path);
        var entries = file.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        foreach (var spec in plan.Tensors)
        {
            if (!entries.Remove(spec.Name, out var entry))
            {
                throw new BadInputException($"{WeightsName}: the tensor {spec.Name} is missing.");
            }

            if (!entry.Shape.SequenceEqual(spec.Shape))
            {
                throw new BadInputException($"{WeightsName}: the tensor {spec.Name} has the shape [{string.Join(", ", entry.Shape)}]. Allowed: [{string.Join(", ", spec.Shape)}].");
            }

            if (!TensorFile.IsReal(entry.Type))
            {
                throw new BadInputException($"{WeightsName}: the tensor {spec.Name} has the type {entry.Type}. Allowed: Float64, Float32, BFloat16, Float16.");
            }
        }

        return entries.Keys.Order(StringComparer.Ordinal).FirstOrDefault() is { } extra
            ? throw new BadInputException($"{WeightsName}: {plan.Title} has no tensor {extra}.")
            : file.Entries.Any(e => e.Type == float64);
    }

    private static ITokenizer ReadTokenizer(string folder, ModelPlan plan, Dictionary<string, JsonElement> config)
    {
        bool vuaf = !config.ContainsKey(Family) && File.Exists(Path.Combine(folder, TokenizerFile.SentencePieceName));
        ITokenizer tokenizer = vuaf ? VuafTokenizerFolder.Read(folder) : TokenizerFile.LoadFrom(folder);
        if (config.ContainsKey(TokenizerHash) && Word(config, TokenizerHash) is var trained && trained != tokenizer.Sha256)
        {
            throw new TokenizerException($"The model in {folder} was trained with the tokenizer {trained}; its {tokenizer.FileName} is {tokenizer.Sha256}. Allowed: the same tokenizer.");
        }

        return plan.VocabSize >= tokenizer.VocabSize
            ? tokenizer
            : throw new BadInputException($"vocab_size of {ConfigName} is {plan.VocabSize}; the tokenizer has {tokenizer.VocabSize} entries. Allowed: at least as many.");
    }
}
