using System.Runtime.CompilerServices;

// Kernels and the operator door are tested beneath the public face.
[assembly: InternalsVisibleTo("Kernels.Tests")]
