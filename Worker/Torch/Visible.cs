using System.Runtime.CompilerServices;

// The raw border is tested with null pointers and negative counts, which the public surface cannot produce.
[assembly: InternalsVisibleTo("Torch.Tests")]
