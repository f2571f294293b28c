using Hearth.Torch;

namespace TorchSharp;

public static partial class torch
{
    public sealed partial class Tensor
    {
        public static Tensor operator +(Tensor a, Tensor b) => Ops.Add.One(a, b);
        public static Tensor operator +(Tensor a, Scalar b) => Ops.AddScalar.One(a, b);
        public static Tensor operator -(Tensor a, Tensor b) => Ops.Sub.One(a, b);
        public static Tensor operator -(Tensor a, Scalar b) => Ops.SubScalar.One(a, b);
        public static Tensor operator *(Tensor a, Tensor b) => Ops.Mul.One(a, b);
        public static Tensor operator *(Tensor a, Scalar b) => Ops.MulScalar.One(a, b);
        public static Tensor operator *(Scalar a, Tensor b) => Ops.MulScalar.One(b, a);
        public static Tensor operator /(Tensor a, Tensor b) => Ops.Div.One(a, b);
        public static Tensor operator /(Tensor a, Scalar b) => Ops.DivScalar.One(a, b);
        public static Tensor operator -(Tensor a) => Ops.Neg.One(a);

        public Tensor add_(Tensor other, Scalar? alpha = null) => Self(Ops.AddInPlace.One(this, other, alpha ?? 1));
        public Tensor mul_(Scalar factor) => Self(Ops.MulInPlace.One(this, factor));
        public Tensor mul_(Tensor factor) => Self(Ops.MulInPlaceTensor.One(this, factor));
        public Tensor addcdiv_(Tensor a, Tensor b, Scalar value) => Self(Ops.Addcdiv.One(this, a, b, value));
        public Tensor addcmul_(Tensor a, Tensor b, Scalar value) => Self(Ops.Addcmul.One(this, a, b, value));
        public Tensor addmm_(Tensor a, Tensor b) => Self(Ops.Addmm.One(this, a, b));
        public Tensor scatter_add_(long dim, Tensor index, Tensor source) => Self(Ops.ScatterAdd.One(this, dim, index, source));
        public Tensor copy_(Tensor source) => Self(Ops.Copy.One(this, source, false));
        public Tensor fill_(Scalar value) => Self(Ops.Fill.One(this, value));
        public Tensor zero_() => fill_(0);
        public Tensor normal_(double mean = 0, double std = 1) => Self(Ops.Normal.One(this, mean, std));
        public Tensor uniform_(double from, double to) => Self(Ops.Uniform.One(this, from, to));

        public Tensor detach() => Ops.Detach.One(this);
        public Tensor clone() => Ops.Clone.One(this);
        public Tensor contiguous() => Ops.Contiguous.One(this);
        public Tensor to(ScalarType type) => Ops.ToDtype.One(this, type);
        public Tensor to(Device device) => Ops.ToDevice.One(this, device, dtype);
        public Tensor cpu() => to(CPU);

        public Tensor reshape(params long[] shape) => Ops.Reshape.One(this, shape);
        public Tensor view(ScalarType type) => Ops.ViewDtype.One(this, type);
        public Tensor view(params long[] shape) => Ops.Reshape.One(this, shape);
        public Tensor permute(params long[] dims) => Ops.Permute.One(this, dims);
        public Tensor transpose(long a, long b) => Ops.Transpose.One(this, a, b);
        public Tensor expand(params long[] shape) => Ops.Expand.One(this, shape);
        public Tensor unsqueeze(long dim) => Ops.Unsqueeze.One(this, dim);
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Ops.Flatten.One(this, start_dim, end_dim);
        public Tensor narrow(long dim, long start, long length) => Ops.Narrow.One(this, dim, start, length);
        public Tensor select(long dim, long index) => Ops.Select.One(this, dim, index);
        public Tensor index_select(long dim, Tensor index) => Ops.IndexSelect.One(this, dim, index);
        public Tensor gather(long dim, Tensor index) => Ops.Gather.One(this, dim, index);

        public Tensor matmul(Tensor other) => Ops.Matmul.One(this, other);
        public Tensor mm(Tensor other) => Ops.Mm.One(this, other);
        public Tensor bmm(Tensor other) => Ops.Bmm.One(this, other);

        public Tensor abs() => Ops.Abs.One(this);
        public Tensor maximum(Tensor other) => Ops.Maximum.One(this, other);
        public Tensor minimum(Tensor other) => Ops.Minimum.One(this, other);
        public Tensor round() => Ops.Round.One(this);
        public Tensor leaky_relu(double negative_slope) => Ops.LeakyRelu.One(this, negative_slope);
        public Tensor remainder(Scalar other) => Ops.RemainderScalar.One(this, other);
        public Tensor bitwise_and(Tensor other) => Ops.BitwiseAnd.One(this, other);
        public Tensor bitwise_right_shift(Tensor other) => Ops.BitwiseRightShift.One(this, other);
        public Tensor bitwise_xor(Tensor other) => Ops.BitwiseXor.One(this, other);
        public Tensor exp() => Ops.Exp.One(this);
        public Tensor log() => Ops.Log.One(this);
        public Tensor sqrt() => Ops.Sqrt.One(this);
        public Tensor rsqrt() => Ops.Rsqrt.One(this);
        public Tensor sin() => Ops.Sin.One(this);
        public Tensor cos() => Ops.Cos.One(this);
        public Tensor tanh() => Ops.Tanh.One(this);
        public Tensor sigmoid() => Ops.Sigmoid.One(this);
        public Tensor relu() => Ops.Relu.One(this);
        public Tensor erf() => Ops.Erf.One(this);
        public Tensor gelu() => Ops.Gelu.One(this);
        public Tensor silu() => Ops.Silu.One(this);
        public Tensor pow(Scalar exponent) => Ops.PowScalar.One(this, exponent);
        public Tensor clamp(Scalar? min = null, Scalar? max = null) => Ops.Clamp.One(this, min is { } a ? a : default(Arg), max is { } b ? b : default(Arg));

        /// <summary>How many of the ascending <paramref name="boundaries"/> are below each value.</summary>
        public Tensor bucketize(Tensor boundaries) => Ops.Bucketize.One(this, boundaries);

        public Tensor sum() => Ops.Sum.One(this);
        public Tensor sum(long dim, bool keepdim = false) => Ops.SumDim.One(this, new[] { dim }, keepdim);
        public Tensor mean() => Ops.Mean.One(this);
        public Tensor mean(long[] dimensions, bool keepdim = false) => Ops.MeanDim.One(this, dimensions, keepdim);
        public Tensor amax(long[] dims, bool keepdim = false) => Ops.Amax.One(this, dims, keepdim);
        public Tensor argmax(long dim) => Ops.Argmax.One(this, (Arg)dim);
        public Tensor cumsum(long dim) => Ops.Cumsum.One(this, dim);
        public Tensor softmax(long dim) => Ops.Softmax.One(this, dim);
        public Tensor log_softmax(long dim) => Ops.LogSoftmax.One(this, dim);
        public Tensor logsumexp(long dim, bool keepdim = false) => Ops.Logsumexp.One(this, new[] { dim }, keepdim);
        public (Tensor values, Tensor indices) topk(int k, int dim = -1)
        {
            var both = Ops.Topk.Many(this, k, dim);
            return (both[0], both[1]);
        }

        public Tensor eq(Tensor other) => Ops.Eq.One(this, other);
        public Tensor eq(Scalar value) => Ops.EqScalar.One(this, value);
        public Tensor ne(Scalar value) => Ops.Ne.One(this, value);
        public Tensor lt(Scalar value) => Ops.Lt.One(this, value);
        public Tensor le(Scalar value) => Ops.Le.One(this, value);
        public Tensor gt(Scalar value) => Ops.Gt.One(this, value);
        public Tensor ge(Scalar value) => Ops.Ge.One(this, value);
        public Tensor isfinite() => Ops.IsFinite.One(this);
        public Tensor all() => Ops.All.One(this);
        public Tensor masked_fill(Tensor mask, Scalar value) => Ops.MaskedFill.One(this, mask, value);
        public Tensor tril(long diagonal = 0) => Ops.Tril.One(this, diagonal);
        public Tensor diagonal() => Ops.Diagonal.One(this);
        public Tensor sign() => Ops.Sign.One(this);
        public Tensor triu(long diagonal = 0) => Ops.Triu.One(this, diagonal);

        // An in-place operator hands back a second handle to the same tensor; callers expect the one they hold.
        private Tensor Self(Tensor again)
        {
            again.Dispose();
            return this;
        }
    }

    public static Tensor empty(long[] size, ScalarType dtype = ScalarType.Float32, Device? device = null) =>
        Ops.Empty.One(size, dtype, default, device);

    public static Tensor full(long[] size, Scalar value, ScalarType dtype = ScalarType.Float32, Device? device = null) =>
        Ops.Full.One(size, value, dtype, default, device);

    public static Tensor zeros(long[] size, ScalarType dtype = ScalarType.Float32, Device? device = null) => full(size, 0, dtype, device);

    public static Tensor ones(long[] size, ScalarType dtype = ScalarType.Float32, Device? device = null) => full(size, 1, dtype, device);

    public static Tensor arange(Scalar start, Scalar stop, ScalarType dtype = ScalarType.Int64, Device? device = null) =>
        Ops.Arange.One(start, stop, 1, dtype, default, device);

    /// <summary>A tensor on the CPU with a copy of <paramref name="data"/>, row-major.</summary>
    public static unsafe Tensor tensor<T>(ReadOnlySpan<T> data, params long[] shape)
        where T : unmanaged
    {
        long[] sizes = shape.Length == 0 ? [data.Length] : shape;
        nint handle;
        fixed (T* pointer = data)
        fixed (long* dims = sizes)
        {
            Native.Check(Native.ht_from_data(pointer, dims, sizes.Length, (int)Tensor.TypeOf<T>(), &handle));
        }

        return new Tensor(handle);
    }

    public static Tensor tensor<T>(T[] data, params long[] shape)
        where T : unmanaged => tensor<T>(data.AsSpan(), shape);

    public static Tensor cat(IList<Tensor> tensors, long dim = 0) => Ops.Cat.One(tensors.ToArray(), dim);

    public static Tensor stack(IList<Tensor> tensors, long dim = 0) => Ops.Stack.One(tensors.ToArray(), dim);

    public static Tensor where(Tensor condition, Tensor x, Tensor y) => Ops.Where.One(condition, x, y);

    public static class linalg
    {
        /// <summary>Reduced QR of a tall matrix: Q [r,c], R [c,c].</summary>
        public static (Tensor Q, Tensor R) qr(Tensor input)
        {
            var both = Ops.LinalgQr.Many(input);
            return (both[0], both[1]);
        }

        /// <summary>X with A X = B for a triangular A [...,n,n], B [...,n,k]; only the named triangle of A is read.</summary>
        public static Tensor solve_triangular(Tensor A, Tensor B, bool upper, bool left = true, bool unitriangular = false) =>
            Ops.SolveTriangular.One(A, B, upper, left, unitriangular);
    }

    public static Tensor matmul(Tensor a, Tensor b) => a.matmul(b);

    public static partial class nn
    {
        public static class functional
        {
            /// <summary>Rows of <paramref name="weight"/> [V,D] at <paramref name="x"/> [...]: [...,D].</summary>
            public static Tensor embedding(Tensor x, Tensor weight) => Ops.Embedding.One(weight, x);

            /// <summary>x [...,in] times weight [out,in] transposed.</summary>
            public static Tensor linear(Tensor input, Tensor weight, Tensor? bias = null) => Ops.Linear.One(input, weight, bias);

            /// <summary>x [B,in,H,W] by kernels [out,in,h,w] without padding: [B,out,…].</summary>
            public static Tensor conv2d(Tensor input, Tensor weight, Tensor? bias = null, long stride = 1) =>
                Ops.Conv2d.One(input, weight, bias, new[] { stride, stride });

            public static Tensor silu(Tensor x) => Ops.Silu.One(x);

            public static Tensor gelu(Tensor x) => Ops.Gelu.One(x);

            /// <summary>ln(1 + eˣ).</summary>
            public static Tensor softplus(Tensor x) => Ops.Softplus.One(x);

            /// <summary>Zero with probability <paramref name="p"/>, others times 1/(1−p).</summary>
            public static Tensor dropout(Tensor x, double p = 0.5, bool training = true) => Ops.Dropout.One(x, p, training);

            /// <summary>Whether <see cref="scaled_dot_product_attention"/> is one kernel here.</summary>
            public static bool fused_attention => Ops.Sdpa.Exists;

            /// <summary>−ln(1 + e^−x).</summary>
            public static Tensor logsigmoid(Tensor x) => Ops.LogSigmoid.One(x);

            /// <summary>(x − mean)·(var + ε)^−½ over the last dimensions, biased variance, times weight plus bias where given.</summary>
            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-5) =>
                Ops.LayerNorm.One(input, normalized_shape, weight, bias, eps);

            /// <summary>
            /// softmax(q kᵀ/√hd + mask) v over [B,H,T,hd]; <paramref name="is_causal"/> aligns top-left. On a libtorch without the
            /// operator (before 2.0) the same in plain operators.
            /// </summary>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0, bool is_causal = false)
            {
                if (Ops.Sdpa.Exists)
                {
                    return Ops.Sdpa.One(query, key, value, attn_mask, p, is_causal);
                }

                long rows = query.size(-2), columns = key.size(-2);
                var scores = (query * (1 / Math.Sqrt(query.size(-1)))).matmul(key.transpose(-2, -1));
                if (is_causal)
                {
                    scores = scores + full([rows, columns], double.NegativeInfinity, scores.dtype, scores.device).triu(1);
                }

                if (attn_mask is not null)
                {
                    scores = scores + attn_mask;
                }

                var weights = scores.softmax(-1);
                return (p > 0 ? dropout(weights, p) : weights).matmul(value);
            }
        }

        /// <summary>A trainable tensor: a leaf that gathers its gradient.</summary>
        public static Tensor Parameter(Tensor data) => data.detach().requires_grad_().DetachFromDisposeScope();
    }
}
