namespace Hearth.Kernels;

/// <summary>
/// The order in which libraries are loaded by their full paths, each after those of the given folders that it needs. A library that is
/// in the process already satisfies every later need of its name, so neither LD_LIBRARY_PATH nor a system-wide libtorch has a say.
/// </summary>
internal static class LibraryOrder
{
    /// <param name="roots">Full paths, wanted in this order.</param>
    /// <param name="folders">Searched in this order for what the roots need; a need that lies in none is the system's own.</param>
    /// <param name="exists">Whether a file is there.</param>
    /// <param name="needs">Names that the library of a full path asks for.</param>
    public static IReadOnlyList<string> Of(IEnumerable<string> roots, IReadOnlyList<string> folders, Func<string, bool> exists, Func<string, IReadOnlyList<string>> needs)
    {
        var order = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string root in roots)
        {
            Visit(root);
        }

        return order;

        void Visit(string path)
        {
            if (!seen.Add(Path.GetFileName(path)))
            {
                return;
            }

            foreach (string name in needs(path))
            {
                if (folders.Select(f => Path.Combine(f, name)).FirstOrDefault(exists) is { } found)
                {
                    Visit(found);
                }
            }

            order.Add(path);
        }
    }
}
