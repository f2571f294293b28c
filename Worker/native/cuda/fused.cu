R"cuda(
// One block a row. Pass 1: running maximum and sum of exponentials (Milakov & Gimelshein, arXiv 1805.02867). Pass 2, out of the
// L2 cache: the logits are overwritten by softmax - one-hot. Columns from `vocab` on are padding of the product and get 0.
extern "C" __global__ void cross_entropy(T* logits, const i64* labels, float* losses, i64 stride, i64 vocab) {
  __shared__ float shared[32];
  T* row = logits + blockIdx.x * stride;
  i64 label = labels[blockIdx.x];
  if (label < 0) {
    for (i64 c = threadIdx.x; c < stride; c += blockDim.x) store(row + c, 0.f);
    if (threadIdx.x == 0) losses[blockIdx.x] = 0.f;
    return;
  }
  float highest = -__int_as_float(0x7f800000), sum = 0.f;
  for (i64 c = threadIdx.x; c < vocab; c += blockDim.x) {
    float x = load(row[c]);
    if (x > highest) { sum *= __expf(highest - x); highest = x; }
    sum += __expf(x - highest);
  }
  float all = block_max(highest, shared);
  sum = block_sum(highest == -__int_as_float(0x7f800000) ? 0.f : sum * __expf(highest - all), shared);
  if (threadIdx.x == 0) losses[blockIdx.x] = all + logf(sum) - load(row[label]);
  __syncthreads();
  float inverse = 1.f / sum;
  for (i64 c = threadIdx.x; c < stride; c += blockDim.x)
    store(row + c, c < vocab ? __expf(load(row[c]) - all) * inverse - (c == label ? 1.f : 0.f) : 0.f);
}

// silu(gate) * up, and its two derivatives.
extern "C" __global__ void swiglu(const T* gate, const T* up, T* y, i64 n) {
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
    float g = load(gate[i]);
    store(y + i, g / (1.f + __expf(-g)) * load(up[i]));
  }
}
extern "C" __global__ void swiglu_backward(const T* dy, const T* gate, const T* up, T* dgate, T* dup, i64 n) {
  for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
    float g = load(gate[i]), d = load(dy[i]), s = 1.f / (1.f + __expf(-g));
    store(dgate + i, d * load(up[i]) * s * (1.f + g * (1.f - s)));
    store(dup + i, d * g * s);
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

// One block a row of x (fp32); T is the type of y and dy.
extern "C" __global__ void rms_norm(const float* x, const float* weight, T* y, float* inverse, i64 width, float eps) {
  __shared__ float shared[32];
  const float* from = x + blockIdx.x * width;
  float sum = 0.f;
  for (i64 i = threadIdx.x; i < width; i += blockDim.x) sum += from[i] * from[i];
  float r = rsqrtf(block_sum(sum, shared) / width + eps);
  if (threadIdx.x == 0) inverse[blockIdx.x] = r;
  for (i64 i = threadIdx.x; i < width; i += blockDim.x) store(y + blockIdx.x * width + i, from[i] * r * weight[i]);
}
// Each block takes a run of rows and sums its share of the weight's gradient in order, so the result never varies.
extern "C" __global__ void rms_norm_backward(const T* dy, const float* x, const float* weight, const float* inverse, float* dx, float* parts, i64 rows, i64 width, i64 run) {
  __shared__ float shared[32];
  i64 first = blockIdx.x * run, end = first + run < rows ? first + run : rows;
  for (i64 i = threadIdx.x; i < width; i += blockDim.x) parts[blockIdx.x * width + i] = 0.f;
  for (i64 row = first; row < end; row++) {
    float r = inverse[row], dot = 0.f;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) dot += load(dy[row * width + i]) * weight[i] * x[row * width + i];
    float pull = block_sum(dot, shared) * r * r * r / width;
    for (i64 i = threadIdx.x; i < width; i += blockDim.x) {
      float d = load(dy[row * width + i]), v = x[row * width + i];
      dx[row * width + i] = d * weight[i] * r - v * pull;
      parts[blockIdx.x * width + i] += d * v * r;
    }
  }
}
)cuda"
