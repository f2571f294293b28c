using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels.Cpu;

/// <summary>
/// Neighbouring vectors of one row of a state that a loop keeps in registers: one, two or four, as the compiler takes a struct apart
/// into registers up to four fields.
/// </summary>
internal unsafe interface IRow<TSelf, T>
    where TSelf : unmanaged, IRow<TSelf, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Vectors; a constant to the compiler.</summary>
    static abstract int Vectors { get; }

    static abstract TSelf Load(T* from);

    void Store(T* to);

    TSelf Scaled(Vector256<T> factor);

    TSelf Plus(TSelf other);

    /// <summary>This + <paramref name="row"/>·<paramref name="factor"/>.</summary>
    TSelf Plus(TSelf row, Vector256<T> factor);

    /// <summary>This + a ⊙ b.</summary>
    TSelf PlusProduct(TSelf a, TSelf b);

    /// <summary>The products with another row, added up over its vectors but not over lanes.</summary>
    Vector256<T> Products(TSelf other);

    /// <summary>The sum of its vectors.</summary>
    Vector256<T> Folded();
}

internal unsafe struct Row1<T> : IRow<Row1<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private Vector256<T> _a;

    public static int Vectors
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row1<T> Load(T* from) => new() { _a = Vector256.Load(from) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(T* to) => _a.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row1<T> Scaled(Vector256<T> factor) => new() { _a = _a * factor };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row1<T> Plus(Row1<T> other) => new() { _a = _a + other._a };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row1<T> Plus(Row1<T> row, Vector256<T> factor) => new() { _a = Lanes<T>.MultiplyAdd(row._a, factor, _a) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row1<T> PlusProduct(Row1<T> a, Row1<T> b) => new() { _a = Lanes<T>.MultiplyAdd(a._a, b._a, _a) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector256<T> Products(Row1<T> other) => _a * other._a;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector256<T> Folded() => _a;
}

internal unsafe struct Row2<T> : IRow<Row2<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private Vector256<T> _a;
    private Vector256<T> _b;

    public static int Vectors
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row2<T> Load(T* from) => new() { _a = Vector256.Load(from), _b = Vector256.Load(from + Lanes<T>.Count) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(T* to)
    {
        _a.Store(to);
        _b.Store(to + Lanes<T>.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row2<T> Scaled(Vector256<T> factor) => new() { _a = _a * factor, _b = _b * factor };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row2<T> Plus(Row2<T> other) => new() { _a = _a + other._a, _b = _b + other._b };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row2<T> Plus(Row2<T> row, Vector256<T> factor) =>
        new() { _a = Lanes<T>.MultiplyAdd(row._a, factor, _a), _b = Lanes<T>.MultiplyAdd(row._b, factor, _b) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row2<T> PlusProduct(Row2<T> a, Row2<T> b) =>
        new() { _a = Lanes<T>.MultiplyAdd(a._a, b._a, _a), _b = Lanes<T>.MultiplyAdd(a._b, b._b, _b) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector256<T> Products(Row2<T> other) => Lanes<T>.MultiplyAdd(_b, other._b, _a * other._a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector256<T> Folded() => _a + _b;
}

internal unsafe struct Row4<T> : IRow<Row4<T>, T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private Vector256<T> _a;
    private Vector256<T> _b;
    private Vector256<T> _c;
    private Vector256<T> _d;

    public static int Vectors
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row4<T> Load(T* from) => new()
    {
        _a = Vector256.Load(from),
        _b = Vector256.Load(from + Lanes<T>.Count),
        _c = Vector256.Load(from + (2 * Lanes<T>.Count)),
        _d = Vector256.Load(from + (3 * Lanes<T>.Count)),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(T* to)
    {
        _a.Store(to);
        _b.Store(to + Lanes<T>.Count);
        _c.Store(to + (2 * Lanes<T>.Count));
        _d.Store(to + (3 * Lanes<T>.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row4<T> Scaled(Vector256<T> factor) => new() { _a = _a * factor, _b = _b * factor, _c = _c * factor, _d = _d * factor };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row4<T> Plus(Row4<T> other) => new() { _a = _a + other._a, _b = _b + other._b, _c = _c + other._c, _d = _d + other._d };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row4<T> Plus(Row4<T> row, Vector256<T> factor) => new()
    {
        _a = Lanes<T>.MultiplyAdd(row._a, factor, _a),
        _b = Lanes<T>.MultiplyAdd(row._b, factor, _b),
        _c = Lanes<T>.MultiplyAdd(row._c, factor, _c),
        _d = Lanes<T>.MultiplyAdd(row._d, factor, _d),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Row4<T> PlusProduct(Row4<T> a, Row4<T> b) => new()
    {
        _a = Lanes<T>.MultiplyAdd(a._a, b._a, _a),
        _b = Lanes<T>.MultiplyAdd(a._b, b._b, _b),
        _c = Lanes<T>.MultiplyAdd(a._c, b._c, _c),
        _d = Lanes<T>.MultiplyAdd(a._d, b._d, _d),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector256<T> Products(Row4<T> other) =>
        Lanes<T>.MultiplyAdd(_b, other._b, _a * other._a) + Lanes<T>.MultiplyAdd(_d, other._d, _c * other._c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector256<T> Folded() => (_a + _b) + (_c + _d);
}
