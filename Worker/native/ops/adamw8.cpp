// hearth::adamw8_: one AdamW step of parameters whose moments are 8-bit codes with a scale per block of 256 (Dettmers et al., arXiv
// 2110.02861). Decodes, updates, uses and codes a block while it is in cache, rounding as the naive form in C#:
//   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g g;  w = w (1 - lr wd) - lr clamp((m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps), limit)
// An element whose gradient is not finite keeps its weight and loses its moments. Weights in fp32, fp64, or bf16 without a master: the
// arithmetic is fp32 then, and the new weight is rounded up or down at random in proportion to the distance (Gupta et al., arXiv
// 1502.02551), by a hash of the tensor's key and the element's index, so that a step repeats its bits.
#include "adamw8.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>

namespace hearth {

void check_adam8(const Adam8Lists& l, int64_t step) {
  const size_t n = l.weights.size();
  TORCH_CHECK(step >= 1, "adamw8_: the first step is 1");
  TORCH_CHECK(l.grads.size() == n && l.first_codes.size() == n && l.first_scales.size() == n && l.second_codes.size() == n && l.second_scales.size() == n && l.keys.size() == n,
              "adamw8_: the lists differ in length");
  TORCH_CHECK(l.maps.size() == 4, "adamw8_: the maps are values and middles of both moments");
  for (size_t i = 0; i < 4; i++)
    TORCH_CHECK(l.maps[i].numel() == kMomentCodes - static_cast<int64_t>(i % 2) && l.maps[i].is_contiguous(), "adamw8_: a map has 256 values and 255 middles");
  for (size_t i = 0; i < n; i++) {
    const int64_t count = l.weights[i].numel(), blocks = (count + kMomentBlock - 1) / kMomentBlock;
    TORCH_CHECK(l.weights[i].is_contiguous(), "adamw8_: the weight is not contiguous");
    TORCH_CHECK(l.grads[i].numel() == count && l.grads[i].scalar_type() == l.weights[i].scalar_type(), "adamw8_: the gradient differs from the weight");
    for (auto codes : {l.first_codes[i], l.second_codes[i]})
      TORCH_CHECK(codes.numel() == count && codes.scalar_type() == at::kByte && codes.is_contiguous(), "adamw8_: codes differ from the weight");
    for (auto scales : {l.first_scales[i], l.second_scales[i]})
      TORCH_CHECK(scales.numel() == blocks && scales.scalar_type() == at::kFloat && scales.is_contiguous(), "adamw8_: scales differ from the blocks");
  }
}

}  // namespace hearth

namespace {

using namespace hearth;

// One moment: codes, scales, the map's values and the middles between them.
template <class T>
struct Moment {
  uint8_t* codes;
  float* scales;
  const T* values;
  const T* middles;

  T decode(int64_t i, T scale) const { return values[codes[i]] * scale; }

  // The nearest value; a tie takes the lower one.
  void encode(int64_t begin, int64_t end, const T* moved, T largest) {
    float scale = static_cast<float>(largest);
    scale = scale == 0 ? 1 : scale;
    scales[begin / kMomentBlock] = scale;
    for (int64_t i = begin; i < end; i++) {
      codes[i] = static_cast<uint8_t>(std::lower_bound(middles, middles + kMomentCodes - 1, moved[i - begin] / T(scale)) - middles);
    }
  }
};

uint32_t mixed(uint32_t x) {  // MurmurHash3's finaliser
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

template <class T>
void put(T* w, T value, int64_t, int64_t) { *w = value; }

void put(at::BFloat16* w, float value, int64_t key, int64_t i) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t low = static_cast<uint32_t>(key), high = static_cast<uint32_t>(static_cast<uint64_t>(key) >> 32);
  if ((bits & 0x7F800000u) != 0x7F800000u) bits += mixed(mixed(static_cast<uint32_t>(i) ^ low) + high) >> 16;
  *w = at::BFloat16(static_cast<uint16_t>(bits >> 16), at::BFloat16::from_bits());
}

template <class W, class T>
void update(W* w, const W* g, Moment<T> first, Moment<T> second, int64_t begin, int64_t end, int64_t key, Adam8Rule<T> r) {
  T m[kMomentBlock], v[kMomentBlock], most_m = 0, most_v = 0;
  const T scale_m = first.scales[begin / kMomentBlock], scale_v = second.scales[begin / kMomentBlock];
  for (int64_t i = begin; i < end; i++) {
    const T wi = w[i];
    T gi = T(g[i]) * r.scale;
    if (r.couple != 0) gi = gi + wi * r.couple;
    T mi = 0, vi = 0;
    if (std::isfinite(gi)) {
      mi = first.decode(i, scale_m) * r.b1 + gi * r.new1;
      vi = second.decode(i, scale_v) * r.b2 + gi * gi * r.new2;
      const T step = (mi / r.c1) / (std::sqrt(vi / r.c2) + r.eps);
      put(w + i, T(wi * r.keep - std::clamp(step, -r.limit, r.limit) * r.lr), key, i);
    }
    m[i - begin] = mi;
    v[i - begin] = vi;
    most_m = std::max(most_m, std::abs(mi));
    most_v = std::max(most_v, vi);
  }
  first.encode(begin, end, m, most_m);
  second.encode(begin, end, v, most_v);
}

template <class W, class T>
void update_all(const Adam8Lists& l, Adam8Rule<T> rule) {
  for (size_t n = 0; n < l.weights.size(); n++) {
    const auto grad = l.grads[n].contiguous();
    auto weight = l.weights[n];
    const int64_t count = weight.numel(), key = l.keys[n];
    const Moment<T> m{l.first_codes[n].data_ptr<uint8_t>(), l.first_scales[n].data_ptr<float>(), l.maps[0].data_ptr<T>(), l.maps[1].data_ptr<T>()};
    const Moment<T> v{l.second_codes[n].data_ptr<uint8_t>(), l.second_scales[n].data_ptr<float>(), l.maps[2].data_ptr<T>(), l.maps[3].data_ptr<T>()};
    W* w = weight.data_ptr<W>();
    const W* g = grad.data_ptr<W>();
    at::parallel_for(0, (count + kMomentBlock - 1) / kMomentBlock, 64, [&](int64_t from, int64_t to) {
      for (int64_t b = from; b < to; b++) update<W, T>(w, g, m, v, b * kMomentBlock, std::min(count, (b + 1) * kMomentBlock), key, rule);
    });
  }
}

void adamw8_(at::TensorList weights, at::TensorList grads, at::TensorList first_codes, at::TensorList first_scales, at::TensorList second_codes,
             at::TensorList second_scales, at::TensorList maps, at::IntArrayRef keys, double lr, double beta1, double beta2, double eps,
             double weight_decay, double couple, int64_t step, double scale, double limit) {
  const Adam8Lists lists{weights, grads, first_codes, first_scales, second_codes, second_scales, maps, keys};
  check_adam8(lists, step);
  if (weights.empty()) return;
  const auto type = weights[0].scalar_type();
  for (auto& weight : weights) TORCH_CHECK(weight.scalar_type() == type, "adamw8_: weights of several types in one call");
  auto run = [&](auto zero, auto w) {
    using T = decltype(zero);
    for (auto& map : maps) TORCH_CHECK(map.scalar_type() == c10::CppTypeToScalarType<T>::value, "adamw8_: the maps' type is not the arithmetic's");
    update_all<decltype(w), T>(lists, adam8_rule<T>(lr, beta1, beta2, eps, weight_decay, couple, step, scale, limit));
  };
  if (type == at::kDouble) return run(double(), double());
  if (type == at::kFloat) return run(float(), float());
  TORCH_CHECK(type == at::kBFloat16, "adamw8_: weights are float32, float64 or bfloat16, not ", type);
  run(float(), at::BFloat16());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) {
  m.def("adamw8_(Tensor[] weights, Tensor[] grads, Tensor[] first_codes, Tensor[] first_scales, Tensor[] second_codes, Tensor[] second_scales, Tensor[] maps, int[] keys, float lr, float beta1, float beta2, float eps, float weight_decay, float couple, int step, float scale, float limit) -> ()");
}
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("adamw8_", adamw8_); }
