using System.Runtime.CompilerServices;

// Merging is tested against its definition; only whole tokenizers are public.
[assembly: InternalsVisibleTo("Data.Tests")]
