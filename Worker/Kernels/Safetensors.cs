using System.IO.MemoryMappedFiles;
using System.Text.Json;
using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>Where a tensor lies in a safetensors file; offsets count from the end of the header.</summary>
public sealed record SafetensorsEntry(string Name, ScalarType Type, long[] Shape, long Begin, long End);

/// <summary>A broken or hostile safetensors file; the message names the tensor or field.</summary>
public sealed class SafetensorsException(string message) : Exception(message);

/// <summary>
/// Reads a safetensors file through a memory map: opening costs the header, each tensor is copied once, out of the map.
/// Format: u64 little-endian header length, JSON header, data (https://github.com/huggingface/safetensors).
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    private const long MaxHeader = 100_000_000;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly Dictionary<string, SafetensorsEntry> _entries;
    private readonly long _dataStart;

    private SafetensorsReader(MemoryMappedFile map, MemoryMappedViewAccessor view, Dictionary<string, SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata, long dataStart)
    {
        (_map, _view, _entries, Metadata, _dataStart) = (map, view, entries, metadata, dataStart);
    }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public IReadOnlyCollection<SafetensorsEntry> Entries => _entries.Values;

    public static SafetensorsReader Open(string path)
    {
        long length = new FileInfo(path).Length;
        if (length < 8)
        {
            throw new SafetensorsException($"{path}: {length} bytes are too few for a header length");
        }

        var map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        var view = map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        try
        {
            ulong header = view.ReadUInt64(0);
            if (header > MaxHeader || (long)header > length - 8)
            {
                throw new SafetensorsException($"{path}: the header length is {header}, the file has {length} bytes");
            }

            byte[] json = new byte[(int)header];
            view.ReadArray(8, json, 0, json.Length);
            var (entries, metadata) = SafetensorsHeader.Parse(json, length - 8 - (long)header, path);
            return new SafetensorsReader(map, view, entries, metadata, 8 + (long)header);
        }
        catch
        {
            view.Dispose();
            map.Dispose();
            throw;
        }
    }

    public bool Contains(string name) => _entries.ContainsKey(name);

    /// <summary>A new CPU tensor with the values of <paramref name="name"/>.</summary>
    public unsafe Tensor Read(string name)
    {
        if (!_entries.TryGetValue(name, out var entry))
        {
            throw new SafetensorsException($"there is no tensor {name}");
        }

        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        try
        {
            using var mapped = Memory.Over(start + _view.PointerOffset + _dataStart + entry.Begin, entry.Shape, entry.Type);
            return mapped.clone();
        }
        finally
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
    }
}

/// <summary>Writes safetensors from the tensors' own memory; the file is never held as a whole.</summary>
public static class SafetensorsWriter
{
    /// <summary>What readers of PyTorch's files ask the header for before they open it.</summary>
    public static IReadOnlyDictionary<string, string> PyTorch { get; } = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>Writes tensors (contiguous, on the CPU) in the order given.</summary>
    public static unsafe void Write(Stream stream, IReadOnlyList<(string Name, Tensor Value)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        byte[] header = SafetensorsHeader.Build(tensors, metadata);
        stream.Write(BitConverter.GetBytes((ulong)header.Length));
        stream.Write(header);
        foreach (var (_, value) in tensors)
        {
            long bytes = value.numel() * value.ElementSize;
            byte* data = Memory.Pointer<byte>(value);
            const int part = 1 << 24;
            for (long done = 0; done < bytes; done += part)
            {
                stream.Write(new ReadOnlySpan<byte>(data + done, (int)Math.Min(part, bytes - done)));
            }

            GC.KeepAlive(value);
        }
    }
}

/// <summary>The JSON header: names, types, shapes and offsets, checked before anything is allocated from them.</summary>
internal static class SafetensorsHeader
{
    private static readonly Dictionary<string, (ScalarType Type, int Bytes)> Types = new(StringComparer.Ordinal)
    {
        ["F64"] = (ScalarType.Float64, 8),
        ["F32"] = (ScalarType.Float32, 4),
        ["F16"] = (ScalarType.Float16, 2),
        ["BF16"] = (ScalarType.BFloat16, 2),
        ["I64"] = (ScalarType.Int64, 8),
        ["I32"] = (ScalarType.Int32, 4),
        ["I16"] = (ScalarType.Int16, 2),
        ["I8"] = (ScalarType.Int8, 1),
        ["U8"] = (ScalarType.Byte, 1),
        ["BOOL"] = (ScalarType.Bool, 1),
    };

    internal static (Dictionary<string, SafetensorsEntry> Entries, Dictionary<string, string> Metadata) Parse(byte[] json, long dataBytes, string path)
    {
        var entries = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == "__metadata__")
                {
                    foreach (var pair in property.Value.EnumerateObject())
                    {
                        metadata[pair.Name] = pair.Value.GetString() ?? "";
                    }
                }
                else if (!entries.TryAdd(property.Name, Entry(property, dataBytes, path)))
                {
                    throw new SafetensorsException($"{path}: the tensor {property.Name} is there twice");
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new SafetensorsException($"{path}: the header is no valid safetensors JSON: {e.Message}");
        }

        CheckOverlaps(entries.Values, path);
        return (entries, metadata);
    }

    internal static byte[] Build(IReadOnlyList<(string Name, Tensor Value)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var (name, value) in tensors)
            {
                long end = offset + value.numel() * value.ElementSize;
                json.WriteStartObject(name);
                json.WriteString("dtype", Types.First(t => t.Value.Type == value.dtype).Key);
                json.WriteStartArray("shape");
                foreach (long size in value.shape)
                {
                    json.WriteNumberValue(size);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(end);
                json.WriteEndArray();
                json.WriteEndObject();
                offset = end;
            }

            json.WriteEndObject();
        }

        // Data begins at a multiple of eight, so that readers may map tensors in place.
        while (buffer.Length % 8 != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        return buffer.ToArray();
    }

    private static SafetensorsEntry Entry(JsonProperty property, long dataBytes, string path)
    {
        string name = property.Name;
        string dtype = property.Value.GetProperty("dtype").GetString() ?? "";
        if (!Types.TryGetValue(dtype, out var type))
        {
            throw new SafetensorsException($"{path}: the tensor {name} has dtype {dtype}. Allowed: {string.Join(", ", Types.Keys)}.");
        }

        long[] shape = property.Value.GetProperty("shape").EnumerateArray().Select(s => s.GetInt64()).ToArray();
        long[] offsets = property.Value.GetProperty("data_offsets").EnumerateArray().Select(s => s.GetInt64()).ToArray();
        if (offsets.Length != 2 || offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] > dataBytes)
        {
            throw new SafetensorsException($"{path}: the tensor {name} lies at {string.Join("..", offsets)}, the data has {dataBytes} bytes");
        }

        if (shape.Any(size => size < 0))
        {
            throw new SafetensorsException($"{path}: the tensor {name} has the shape [{string.Join(", ", shape)}]. Allowed: sizes of at least 0.");
        }

        Int128 bytes = type.Bytes;
        foreach (long size in shape)
        {
            bytes = bytes > long.MaxValue ? -1 : bytes * size;
        }

        if (bytes != offsets[1] - offsets[0])
        {
            throw new SafetensorsException($"{path}: the tensor {name} of shape [{string.Join(", ", shape)}] and {dtype} does not fill its {offsets[1] - offsets[0]} bytes");
        }

        return new SafetensorsEntry(name, type.Type, shape, offsets[0], offsets[1]);
    }

    private static void CheckOverlaps(IEnumerable<SafetensorsEntry> entries, string path)
    {
        long end = 0;
        string before = "";
        foreach (var entry in entries.Where(e => e.End > e.Begin).OrderBy(e => e.Begin))
        {
            if (entry.Begin < end)
            {
                throw new SafetensorsException($"{path}: the tensors {before} and {entry.Name} overlap");
            }

            (end, before) = (entry.End, entry.Name);
        }
    }
}
