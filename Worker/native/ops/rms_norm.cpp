// hearth::rms_norm: y = x (mean(x^2) + eps)^-1/2 w over the last dimension, forward and backward in one pass each
// (Zhang & Sennrich, arXiv 1910.07467). Sums and products in fp64, rounded once: a stack of norms multiplies whatever each of
// them rounds away (docs/families/vuaf.md). Its naive twin in plain operators is Norms.RmsNorm.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>
#include <tuple>
#include <vector>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::tuple<at::Tensor, at::Tensor> forward_cpu(const at::Tensor& x_in, const at::Tensor& w_in, double eps) {
  auto x = x_in.contiguous(), w = w_in.contiguous();
  TORCH_CHECK(w.dim() == 1 && x.dim() >= 1 && x.size(-1) == w.size(0), "rms_norm: x ends in ", x.size(-1), ", the weight has ", w.size(0));
  auto y = at::empty_like(x);
  int64_t d = w.size(0), rows = d == 0 ? 0 : x.numel() / d;
  auto r = at::empty({rows}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rms_norm", [&] {
    auto xp = x.data_ptr<scalar_t>(), wp = w.data_ptr<scalar_t>(), yp = y.data_ptr<scalar_t>(), rp = r.data_ptr<scalar_t>();
    at::parallel_for(0, rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) {
        auto xr = xp + row * d;
        double sum = 0;
        for (int64_t i = 0; i < d; i++) sum += double(xr[i]) * xr[i];
        const double inv = 1 / std::sqrt(sum / double(d) + eps);
        rp[row] = scalar_t(inv);
        for (int64_t i = 0; i < d; i++) yp[row * d + i] = scalar_t(xr[i] * inv * wp[i]);
      }
    });
  });
  return {y, r};
}

std::tuple<at::Tensor, at::Tensor> backward_cpu(const at::Tensor& dy_in, const at::Tensor& x_in, const at::Tensor& w_in, const at::Tensor& r) {
  auto dy = dy_in.contiguous(), x = x_in.contiguous(), w = w_in.contiguous();
  int64_t d = w.size(0), rows = r.numel();
  auto dx = at::empty_like(x);
  // Row blocks are fixed, not per thread, so that the sum over rows does not depend on the number of threads.
  const int64_t block = 64, blocks = (rows + block - 1) / block;
  auto parts = at::zeros({blocks, d}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rms_norm_backward", [&] {
    auto gp = dy.data_ptr<scalar_t>(), xp = x.data_ptr<scalar_t>(), wp = w.data_ptr<scalar_t>(), rp = r.data_ptr<scalar_t>();
    auto dxp = dx.data_ptr<scalar_t>(), pp = parts.data_ptr<scalar_t>();
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; b++) {
        auto part = pp + b * d;
        for (int64_t row = b * block; row < std::min(rows, (b + 1) * block); row++) {
          auto g = gp + row * d;
          auto xr = xp + row * d;
          const double inv = rp[row];
          double dot = 0;
          for (int64_t i = 0; i < d; i++) {
            dot += double(g[i]) * wp[i] * xr[i];
            part[i] += scalar_t(double(g[i]) * xr[i] * inv);
          }
          const double pull = dot * inv * inv * inv / double(d);
          for (int64_t i = 0; i < d; i++) dxp[row * d + i] = scalar_t(double(g[i]) * wp[i] * inv - xr[i] * pull);
        }
      }
    });
  });
  return {dx, parts.sum(0)};
}

at::Tensor rms_norm_cpu(const at::Tensor& x, const at::Tensor& w, double eps) { return std::get<0>(forward_cpu(x, w, eps)); }

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& w, double eps) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto [y, r] = forward_cpu(x, w, eps);
    ctx->save_for_backward({x, w, r});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto [dx, dw] = backward_cpu(grads[0], saved[0], saved[1], saved[2]);
    return {dx, dw, at::Tensor()};
  }
};

at::Tensor rms_norm_autograd(const at::Tensor& x, const at::Tensor& w, double eps) { return RmsNorm::apply(x, w, eps); }

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) { m.def("rms_norm(Tensor x, Tensor weight, float eps) -> Tensor"); }
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("rms_norm", rms_norm_cpu); }
TORCH_LIBRARY_IMPL(hearth, AutogradCPU, m) { m.impl("rms_norm", rms_norm_autograd); }
