using System.Runtime.InteropServices;

namespace Hearth.Kernels.Autograd;

/// <summary>The C exports by which TorchSharp puts managed nodes into autograd's graph, under their own names.</summary>
internal static unsafe partial class NodeExports
{
    private const string Library = "LibTorchSharp";

    [LibraryImport(Library)]
    internal static partial NodePointer THSAutograd_CSharpNode_ctor(nint apply, nint deleted);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_disposeSharedPtr(NodePointer node);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_disposeWeakPtr(NodePointer node);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_setNextEdges(NodePointer node, Handles inputs, byte executable);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_clearInputMetadata(NodePointer node);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_Function_wrapOutputs(
        Handles inputs, Handles withoutGradient, Handles dirty, Handles outputs, NodePointer node, delegate* unmanaged[Cdecl]<nuint, nint*> allocate);

    [LibraryImport(Library)]
    internal static partial nint THSAutograd_SavedVariable_ctor(nint variable, NodePointer node, byte inPlace);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_SavedVariable_dispose(nint saved);

    [LibraryImport(Library)]
    internal static partial nint THSAutograd_SavedVariable_unpack(nint saved, NodePointer node);

    /// <summary>An array of tensor handles.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Handles
    {
        internal nint* Data;
        internal long Count;
    }

    /// <summary>A node by its shared and its weak pointer.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NodePointer
    {
        internal nint Shared;
        internal nint Weak;
    }
}
