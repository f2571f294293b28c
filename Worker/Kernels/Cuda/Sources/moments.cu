// One AdamW step with 8-bit moments on the card: all tensors of a group in one launch. A warp takes a run of blocks of 256 elements; W is the weights'
// type. Every operation is rounded on its own, as the naive form's are, so that both give the same codes.
struct Entry {
  W* weight;
  const W* grad;
  unsigned char* codes1;
  float* scales1;
  unsigned char* codes2;
  float* scales2;
  i64 count;
  i64 first;  // its first block in the numbering of all tensors
  i64 key;
};
struct Rule { float lr, b1, b2, new1, new2, eps, keep, couple, c1, c2, scale, limit; };  // c1 and c2 are reciprocals

// Where the search for a code starts, by exponent and six bits of mantissa: at most a few middles lie in a cell.
constexpr int kCodes = 256, kPerLane = 8, kShift = 17, kLowest = (127 - 24) << 6, kCells = (24 << 6) + 1;

__device__ int lower_bound(const float* middles, float x) {
  int low = 0, high = kCodes - 1;
  while (low < high) {
    int half = (low + high) / 2;
    if (middles[half] < x) low = half + 1; else high = half;
  }
  return low;
}
__device__ __forceinline__ float cell_edge(int cell) { return cell <= 0 ? 0.f : __uint_as_float((unsigned)(kLowest + cell) << kShift); }
__device__ __forceinline__ int cell_of(float x) {
  int cell = (int)((__float_as_uint(x) & 0x7fffffffu) >> kShift) - kLowest;
  return cell < 0 ? 0 : cell < kCells ? cell : kCells - 1;
}
// The nearest value's code; a tie takes the lower one.
__device__ __forceinline__ unsigned char encode(const float* middles, const unsigned char* starts, float x) {
  int code = starts[cell_of(x)];
  while (code < kCodes - 1 && middles[code] < x) code++;
  return (unsigned char)code;
}
__device__ __forceinline__ unsigned mixed(unsigned x) {
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}
__device__ __forceinline__ void put(float* w, float x, i64, i64) { *w = x; }
__device__ __forceinline__ void put(bf16* w, float x, i64 key, i64 i) {
  unsigned bits = __float_as_uint(x);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits += mixed(mixed((unsigned)i ^ (unsigned)key) + (unsigned)((unsigned long long)key >> 32)) >> 16;
  w->bits = (unsigned short)(bits >> 16);
}

extern "C" __global__ void adamw8(const Entry* table, int tensors, i64 blocks, const float* values1_in, const float* middles1_in, const float* values2_in, const float* middles2_in, Rule r) {
  __shared__ float values1[kCodes], middles1[kCodes], values2[kCodes], middles2[kCodes];
  __shared__ unsigned char up1[kCells], down1[kCells], up2[kCells];
  for (int i = threadIdx.x; i < kCodes; i += blockDim.x) {
    values1[i] = values1_in[i], values2[i] = values2_in[i];
    middles1[i] = i < kCodes - 1 ? middles1_in[i] : 0.f, middles2[i] = i < kCodes - 1 ? middles2_in[i] : 0.f;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kCells; i += blockDim.x) {
    up1[i] = lower_bound(middles1, cell_edge(i));
    down1[i] = i == kCells - 1 ? 0 : lower_bound(middles1, -cell_edge(i + 1));
    up2[i] = lower_bound(middles2, cell_edge(i));
  }
  __syncthreads();
  i64 warps = (i64)gridDim.x * (blockDim.x / 32), warp = blockIdx.x * (i64)(blockDim.x / 32) + threadIdx.x / 32, run = (blocks + warps - 1) / warps;
  i64 begin = warp * run, end = begin + run < blocks ? begin + run : blocks;
  int lane = threadIdx.x % 32, low = 0, high = tensors - 1;
  if (begin >= end) return;
  while (low < high) {
    int half = (low + high + 1) / 2;
    if (table[half].first <= begin) low = half; else high = half - 1;
  }
  Entry e = table[low];
  i64 next = low + 1 < tensors ? table[low + 1].first : blocks;
  for (i64 b = begin; b < end; b++) {
    if (b >= next) {
      e = table[++low];
      next = low + 1 < tensors ? table[low + 1].first : blocks;
    }
    i64 block = b - e.first, base = block * (kPerLane * 32) + lane;
    float scale1 = e.scales1[block], scale2 = e.scales2[block], m[kPerLane], v[kPerLane], most1 = 0.f, most2 = 0.f;
#pragma unroll
    for (int k = 0; k < kPerLane; k++) {
      i64 i = base + k * 32;
      m[k] = v[k] = 0.f;
      if (i >= e.count) continue;
      float w = load(e.weight[i]), g = __fmul_rn(load(e.grad[i]), r.scale);
      if (r.couple != 0.f) g = __fadd_rn(g, __fmul_rn(w, r.couple));
      if (!isfinite(g)) continue;
      m[k] = __fadd_rn(__fmul_rn(__fmul_rn(values1[e.codes1[i]], scale1), r.b1), __fmul_rn(g, r.new1));
      v[k] = __fadd_rn(__fmul_rn(__fmul_rn(values2[e.codes2[i]], scale2), r.b2), __fmul_rn(__fmul_rn(g, g), r.new2));
      float step = __fdiv_rn(__fmul_rn(m[k], r.c1), __fadd_rn(__fsqrt_rn(__fmul_rn(v[k], r.c2)), r.eps));
      step = fminf(fmaxf(step, -r.limit), r.limit);
      put(e.weight + i, __fsub_rn(__fmul_rn(w, r.keep), __fmul_rn(step, r.lr)), e.key, i);
      most1 = fmaxf(most1, fabsf(m[k]));
      most2 = fmaxf(most2, v[k]);
    }
    most1 = warp_max(most1), most2 = warp_max(most2);
    scale1 = most1 == 0.f ? 1.f : most1, scale2 = most2 == 0.f ? 1.f : most2;
    if (lane == 0) e.scales1[block] = scale1, e.scales2[block] = scale2;
#pragma unroll
    for (int k = 0; k < kPerLane; k++) {
      i64 i = base + k * 32;
      if (i >= e.count) continue;
      float x = __fdiv_rn(m[k], scale1);
      e.codes1[i] = encode(middles1, x < 0.f ? down1 : up1, x);
      e.codes2[i] = encode(middles2, up2, __fdiv_rn(v[k], scale2));
    }
  }
}
