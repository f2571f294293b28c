constexpr int W = 16 / sizeof(T);
// The fast exponential errs by less than a narrow type rounds away, but by more than fp32 does.
__device__ __forceinline__ float exponential(float x) { return sizeof(T) == sizeof(float) ? expf(x) : __expf(x); }
#define kMinusInfinity (-__int_as_float(0x7f800000))
#define kAligned(a, b, c) ((((size_t)(a) | (size_t)(b) | (size_t)(c)) & 15) == 0)

// One block a row of whole packs. Pass 1: running maximum and sum of exponentials (Milakov & Gimelshein, arXiv 1805.02867).
// Pass 2, out of the L2 cache: the logits are overwritten by the gradient of ce + z lse^2, (1 + 2 z lse) softmax - one-hot.
// cap > 0 bends logits to cap tanh(x / cap) first. Columns from `vocab` on are padding and get 0.
extern "C" __global__ void cross_entropy(T* logits, const i64* labels, float* losses, float* squares, i64 stride, i64 vocab, float z, float cap) {
  __shared__ float shared[32];
  T* row = logits + blockIdx.x * stride;
  auto packs = reinterpret_cast<Pack<T>*>(row);
  i64 label = labels[blockIdx.x], count = stride / W;
  if (label < 0) {
    Pack<T> zero;
    for (int j = 0; j < W; j++) store(&zero.at[j], 0.f);
    for (i64 p = threadIdx.x; p < count; p += blockDim.x) packs[p] = zero;
    if (threadIdx.x == 0) losses[blockIdx.x] = squares[blockIdx.x] = 0.f;
    return;
  }
  float highest = kMinusInfinity, sum = 0.f;
  for (i64 p = threadIdx.x; p < count; p += blockDim.x) {
    Pack<T> pack = packs[p];
    float x[W], top = highest;
    for (int j = 0; j < W; j++) {
      float v = load(pack.at[j]);
      if (cap > 0.f) v = cap * tanhf(v / cap);
      x[j] = p * W + j < vocab ? v : kMinusInfinity;
      top = fmaxf(top, x[j]);
    }
    if (top == kMinusInfinity) continue;
    sum *= exponential(highest - top);
    highest = top;
    for (int j = 0; j < W; j++) sum += exponential(x[j] - top);
  }
  float all = block_max(highest, shared);
  sum = block_sum(highest == kMinusInfinity ? 0.f : sum * exponential(highest - all), shared);
  float lse = all + logf(sum);
  if (threadIdx.x == 0) {
    float v = load(row[label]);
    losses[blockIdx.x] = lse - (cap > 0.f ? cap * tanhf(v / cap) : v);
    squares[blockIdx.x] = lse * lse;
  }
  __syncthreads();
  float factor = (1.f + 2.f * z * lse) / sum;
  for (i64 p = threadIdx.x; p < count; p += blockDim.x) {
    Pack<T> pack = packs[p];
    for (int j = 0; j < W; j++) {
      i64 c = p * W + j;
      float v = load(pack.at[j]), slope = 1.f;
      if (cap > 0.f) {
        float t = tanhf(v / cap);
        v = cap * t;
        slope = 1.f - t * t;
      }
      store(&pack.at[j], c < vocab ? (exponential(v - all) * factor - (c == label ? 1.f : 0.f)) * slope : 0.f);
    }
    packs[p] = pack;
  }
}

__device__ __forceinline__ float sigmoid(float g) { return 1.f / (1.f + exponential(-g)); }

// silu(gate) * up, and its two derivatives: whole packs, then what is left.
extern "C" __global__ void swiglu(const T* gate, const T* up, T* y, i64 n) {
  i64 packs = kAligned(gate, up, y) ? n / W : 0, step = (i64)gridDim.x * blockDim.x, first = blockIdx.x * (i64)blockDim.x + threadIdx.x;
  for (i64 i = first; i < packs; i += step) {
    auto g = reinterpret_cast<const Pack<T>*>(gate)[i], u = reinterpret_cast<const Pack<T>*>(up)[i];
    for (int j = 0; j < W; j++) { float x = load(g.at[j]); store(&g.at[j], x * sigmoid(x) * load(u.at[j])); }
    reinterpret_cast<Pack<T>*>(y)[i] = g;
  }
  for (i64 i = packs * W + first; i < n; i += step) { float x = load(gate[i]); store(y + i, x * sigmoid(x) * load(up[i])); }
}
__device__ __forceinline__ void swiglu_derivatives(T dy, T* gate, T* up) {
  float g = load(*gate), d = load(dy), s = sigmoid(g), u = load(*up);
  store(gate, d * u * s * (1.f + g * (1.f - s)));
  store(up, d * g * s);
}
extern "C" __global__ void swiglu_backward(const T* dy, const T* gate, const T* up, T* dgate, T* dup, i64 n) {
  i64 packs = kAligned(gate, up, dy) ? n / W : 0, step = (i64)gridDim.x * blockDim.x, first = blockIdx.x * (i64)blockDim.x + threadIdx.x;
  for (i64 i = first; i < packs; i += step) {
    auto d = reinterpret_cast<const Pack<T>*>(dy)[i], g = reinterpret_cast<const Pack<T>*>(gate)[i], u = reinterpret_cast<const Pack<T>*>(up)[i];
    for (int j = 0; j < W; j++) swiglu_derivatives(d.at[j], &g.at[j], &u.at[j]);
    reinterpret_cast<Pack<T>*>(dgate)[i] = g;
    reinterpret_cast<Pack<T>*>(dup)[i] = u;
  }
  for (i64 i = packs * W + first; i < n; i += step) {
    T g = gate[i], u = up[i];
    swiglu_derivatives(dy[i], &g, &u);
    dgate[i] = g;
    dup[i] = u;
  }
}

// x [B,T,H,N], cos and sin [T,P]: pairs (p, p + P) of the first 2P of N values turn; the rest passes. sign -1 turns back.
extern "C" __global__ void rope(const T* x, const float* cosine, const float* sine, T* y, i64 rows, i64 time, i64 heads, i64 width, i64 pairs, float sign) {
  i64 per = width - pairs;
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < rows * per; i += (i64)gridDim.x * blockDim.x) {
    i64 row = i / per, p = i % per;
    const T* from = x + row * width;
    T* to = y + row * width;
    if (p >= pairs) { to[p + pairs] = from[p + pairs]; continue; }
    i64 at = row / heads % time * pairs + p;
    float c = cosine[at], s = sine[at] * sign, a = load(from[p]), b = load(from[p + pairs]);
    store(to + p, a * c - b * s);
    store(to + p + pairs, a * s + b * c);
  }
}

// One warp a row of x (fp32); T is the type of y. Where y is fp32, sums and products are fp64 and rounded once, as on the CPU: a
// stack of norms multiplies whatever each of them rounds away. A narrower y rounds more than that anyway.
template <bool Wide> struct Norming { using Type = float; };
template <> struct Norming<true> { using Type = double; };
extern "C" __global__ void rms_norm(const float* x, const float* weight, T* y, float* inverse, i64 rows, i64 width, float eps) {
  using S = typename Norming<sizeof(T) == sizeof(float)>::Type;
  i64 row = blockIdx.x * (i64)(blockDim.x / 32) + threadIdx.x / 32;
  int lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float* from = x + row * width;
  T* to = y + row * width;
  i64 whole = width % 4 == 0 ? width / 4 : 0;
  S sum = 0;
  for (i64 i = lane; i < whole; i += 32) {
    float4 v = reinterpret_cast<const float4*>(from)[i];
    sum += S(v.x) * v.x + S(v.y) * v.y + S(v.z) * v.z + S(v.w) * v.w;
  }
  for (i64 i = whole * 4 + lane; i < width; i += 32) sum += S(from[i]) * from[i];
  S r = S(1) / sqrt(warp_sum(sum) / width + S(eps));
  if (lane == 0) inverse[row] = float(r);
  for (i64 i = lane; i < whole; i += 32) {
    float4 v = reinterpret_cast<const float4*>(from)[i], w = reinterpret_cast<const float4*>(weight)[i];
    struct alignas(4 * sizeof(T)) Four { T at[4]; } out;
    store(&out.at[0], float(v.x * r * w.x));
    store(&out.at[1], float(v.y * r * w.y));
    store(&out.at[2], float(v.z * r * w.z));
    store(&out.at[3], float(v.w * r * w.w));
    reinterpret_cast<Four*>(to)[i] = out;
  }
  for (i64 i = whole * 4 + lane; i < width; i += 32) store(to + i, float(from[i] * r * weight[i]));
}
// Each block takes a run of rows; a thread keeps its columns' share of the weight's gradient in registers and the blocks' shares
// are summed in order, so the result never varies. At most `kColumns` columns a thread.
constexpr int kColumns = 8;
extern "C" __global__ void rms_norm_backward(const T* dy, const float* x, const float* weight, const float* inverse, float* dx, float* parts, i64 rows, i64 width, i64 run) {
  __shared__ float shared[32];
  i64 first = blockIdx.x * run, end = first + run < rows ? first + run : rows;
  float w[kColumns], share[kColumns], d[kColumns], v[kColumns];
  for (int k = 0; k < kColumns; k++) {
    i64 c = threadIdx.x + (i64)k * blockDim.x;
    w[k] = c < width ? weight[c] : 0.f;
    share[k] = 0.f;
  }
  for (i64 row = first; row < end; row++) {
    float r = inverse[row], dot = 0.f;
    for (int k = 0; k < kColumns; k++) {
      i64 c = threadIdx.x + (i64)k * blockDim.x;
      if (c >= width) break;
      d[k] = load(dy[row * width + c]);
      v[k] = x[row * width + c];
      dot += d[k] * w[k] * v[k];
    }
    float pull = block_sum(dot, shared) * r * r * r / width;
    for (int k = 0; k < kColumns; k++) {
      i64 c = threadIdx.x + (i64)k * blockDim.x;
      if (c >= width) break;
      dx[row * width + c] = d[k] * w[k] * r - v[k] * pull;
      share[k] += d[k] * v[k] * r;
    }
  }
  for (int k = 0; k < kColumns; k++) {
    i64 c = threadIdx.x + (i64)k * blockDim.x;
    if (c < width) parts[blockIdx.x * width + c] = share[k];
  }
}
