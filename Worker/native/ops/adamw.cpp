// hearth::adamw_: one AdamW step over all parameters of a group in one pass per tensor (Loshchilov & Hutter, arXiv 1711.05101).
// Arithmetic per element, in the parameter's own precision (fp32 or fp64), rounding as the naive form in C#:
//   m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g g;  w = w - lr wd w - lr (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps)
// The gradient is multiplied by `scale` first (clipping), so that clipping needs no pass of its own.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <cmath>

namespace {

template <class T>
void update(T* w, const T* g, T* m, T* v, int64_t n, T lr, T b1, T b2, T eps, T wd, T c1, T c2, T scale) {
  at::parallel_for(0, n, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      T gi = g[i] * scale;
      m[i] = b1 * m[i] + (T(1) - b1) * gi;
      v[i] = b2 * v[i] + (T(1) - b2) * gi * gi;
      T step = (m[i] / c1) / (std::sqrt(v[i] / c2) + eps);
      w[i] = w[i] - lr * wd * w[i] - lr * step;
    }
  });
}

void adamw_(at::TensorList weights, at::TensorList grads, at::TensorList first, at::TensorList second, double lr, double beta1,
            double beta2, double eps, double weight_decay, int64_t step, double scale) {
  TORCH_CHECK(weights.size() == grads.size() && weights.size() == first.size() && weights.size() == second.size(),
              "adamw_: the four lists differ in length");
  TORCH_CHECK(step >= 1, "adamw_: the first step is 1");
  double c1 = 1 - std::pow(beta1, static_cast<double>(step)), c2 = 1 - std::pow(beta2, static_cast<double>(step));
  for (size_t i = 0; i < weights.size(); i++) {
    auto w = weights[i], g = grads[i].contiguous(), m = first[i], v = second[i];
    TORCH_CHECK(w.is_contiguous() && m.is_contiguous() && v.is_contiguous(), "adamw_: a tensor is not contiguous");
    TORCH_CHECK(w.numel() == g.numel() && w.numel() == m.numel() && w.numel() == v.numel(), "adamw_: sizes differ");
    AT_DISPATCH_FLOATING_TYPES(w.scalar_type(), "adamw_", [&] {
      update<scalar_t>(w.data_ptr<scalar_t>(), g.data_ptr<scalar_t>(), m.data_ptr<scalar_t>(), v.data_ptr<scalar_t>(), w.numel(),
                       scalar_t(lr), scalar_t(beta1), scalar_t(beta2), scalar_t(eps), scalar_t(weight_decay), scalar_t(c1),
                       scalar_t(c2), scalar_t(scale));
    });
  }
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) {
  m.def("adamw_(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, float lr, float beta1, float beta2, float eps, float weight_decay, int step, float scale=1.0) -> ()");
}
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("adamw_", adamw_); }
