using System.Runtime.CompilerServices;

// Blocks are tested against their definitions one by one; only whole models are public.
[assembly: InternalsVisibleTo("Models.Tests")]
