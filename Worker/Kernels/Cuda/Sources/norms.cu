// L2 norms of many tensors, which a table lists: of each its address, its elements, and its first piece in the numbering of all.
constexpr i64 kPiece = 1 << 16;
constexpr int W = 16 / sizeof(T);
struct Entry {
  const T* x;
  i64 count;
  i64 first;
};

// One block a piece: its sum of squares.
extern "C" __global__ void square_sums(const Entry* table, int tensors, float* sums) {
  __shared__ float shared[32];
  int low = 0, high = tensors - 1;
  while (low < high) {
    int half = (low + high + 1) / 2;
    if (table[half].first <= (i64)blockIdx.x) low = half; else high = half - 1;
  }
  Entry e = table[low];
  i64 begin = (blockIdx.x - e.first) * kPiece, count = e.count - begin < kPiece ? e.count - begin : kPiece;
  const T* x = e.x + begin;
  i64 packs = ((size_t)x & 15) == 0 ? count / W : 0;
  float sum = 0.f;
  for (i64 i = threadIdx.x; i < packs; i += blockDim.x) {
    auto pack = reinterpret_cast<const Pack<T>*>(x)[i];
    for (int j = 0; j < W; j++) { float v = load(pack.at[j]); sum += v * v; }
  }
  for (i64 i = packs * W + threadIdx.x; i < count; i += blockDim.x) { float v = load(x[i]); sum += v * v; }
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// One warp a tensor: its pieces in order, in fp64.
extern "C" __global__ void norms(const Entry* table, int tensors, i64 pieces, const float* sums, float* out) {
  int tensor = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (tensor >= tensors) return;
  i64 end = tensor + 1 < tensors ? table[tensor + 1].first : pieces;
  double sum = 0;
  for (i64 i = table[tensor].first + lane; i < end; i += 32) sum += sums[i];
  sum = warp_sum(sum);
  if (lane == 0) out[tensor] = (float)sqrt(sum);
}
