// hearth::adamw8_: one AdamW step of a parameter whose moments are 8-bit codes with a scale per block of 256 (Dettmers et al., arXiv
// 2110.02861). Decodes, updates, uses and codes a block while it is in cache, rounding as the naive form in C#:
//   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g g;  w = w (1 - lr wd) - lr clamp((m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps), limit)
// An element whose gradient is not finite keeps its weight and loses its moments. fp32 and fp64.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>

namespace {

constexpr int64_t kBlock = 256;
constexpr int64_t kCodes = 256;

template <class T>
struct Rule {
  T lr, b1, b2, new1, new2, eps, keep, c1, c2, scale, limit;
};

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
    scales[begin / kBlock] = scale;
    for (int64_t i = begin; i < end; i++) {
      codes[i] = static_cast<uint8_t>(std::lower_bound(middles, middles + kCodes - 1, moved[i - begin] / T(scale)) - middles);
    }
  }
};

template <class T>
void update(T* w, const T* g, Moment<T> first, Moment<T> second, int64_t begin, int64_t end, Rule<T> r) {
  T m[kBlock], v[kBlock], most_m = 0, most_v = 0;
  const T scale_m = first.scales[begin / kBlock], scale_v = second.scales[begin / kBlock];
  for (int64_t i = begin; i < end; i++) {
    const T gi = g[i] * r.scale;
    T mi = 0, vi = 0;
    if (std::isfinite(gi)) {
      mi = first.decode(i, scale_m) * r.b1 + gi * r.new1;
      vi = second.decode(i, scale_v) * r.b2 + gi * gi * r.new2;
      const T step = (mi / r.c1) / (std::sqrt(vi / r.c2) + r.eps);
      w[i] = w[i] * r.keep - std::clamp(step, -r.limit, r.limit) * r.lr;
    }
    m[i - begin] = mi;
    v[i - begin] = vi;
    most_m = std::max(most_m, std::abs(mi));
    most_v = std::max(most_v, vi);
  }
  first.encode(begin, end, m, most_m);
  second.encode(begin, end, v, most_v);
}

void adamw8_(at::Tensor weight, const at::Tensor& grad, at::TensorList first, at::TensorList second, double lr, double beta1, double beta2,
             double eps, double weight_decay, int64_t step, double scale, double limit) {
  TORCH_CHECK(first.size() == 4 && second.size() == 4, "adamw8_: a moment is codes, scales, values and middles");
  TORCH_CHECK(weight.is_contiguous(), "adamw8_: the weight is not contiguous");
  TORCH_CHECK(step >= 1, "adamw8_: the first step is 1");
  const int64_t count = weight.numel(), blocks = (count + kBlock - 1) / kBlock;
  for (auto& moment : {first, second}) {
    TORCH_CHECK(moment[0].numel() == count && moment[0].scalar_type() == at::kByte && moment[0].is_contiguous(), "adamw8_: codes differ from the weight");
    TORCH_CHECK(moment[1].numel() == blocks && moment[1].scalar_type() == at::kFloat && moment[1].is_contiguous(), "adamw8_: scales differ from the blocks");
    TORCH_CHECK(moment[2].numel() == kCodes && moment[3].numel() == kCodes - 1, "adamw8_: a map has 256 values and 255 middles");
    TORCH_CHECK(moment[2].scalar_type() == weight.scalar_type() && moment[3].scalar_type() == weight.scalar_type(), "adamw8_: the map's type differs");
  }
  const auto g = grad.contiguous();
  TORCH_CHECK(g.numel() == count && g.scalar_type() == weight.scalar_type(), "adamw8_: the gradient differs from the weight");
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "adamw8_", [&] {
    using T = scalar_t;
    const Rule<T> rule{T(lr), T(beta1), T(beta2), T(1 - beta1), T(1 - beta2), T(eps), T(1 - lr * weight_decay), T(1 - std::pow(beta1, static_cast<double>(step))),
                       T(1 - std::pow(beta2, static_cast<double>(step))), T(scale), T(limit)};
    auto moment = [](at::TensorList t) {
      return Moment<T>{t[0].data_ptr<uint8_t>(), t[1].data_ptr<float>(), t[2].data_ptr<T>(), t[3].data_ptr<T>()};
    };
    const Moment<T> m = moment(first), v = moment(second);
    T* w = weight.data_ptr<T>();
    const T* gp = g.data_ptr<T>();
    at::parallel_for(0, blocks, 64, [&](int64_t from, int64_t to) {
      for (int64_t b = from; b < to; b++) {
        update<T>(w, gp, m, v, b * kBlock, std::min(count, (b + 1) * kBlock), rule);
      }
    });
  });
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) {
  m.def("adamw8_(Tensor weight, Tensor grad, Tensor[] first, Tensor[] second, float lr, float beta1, float beta2, float eps, float weight_decay, int step, float scale, float limit) -> ()");
}
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("adamw8_", adamw8_); }
