// hearth::causal_conv: depthwise convolution over rows that stand behind J-1 others, y[t] = sum_j w[:,j] x[t+J-1-j], forward and
// backward in one pass each. x [B,T+J-1,C], taps [C,J], y [B,T,C]. Its naive twin in plain operators is CausalConv.Naive.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor forward_cpu(const at::Tensor& x_in, const at::Tensor& taps) {
  TORCH_CHECK(x_in.dim() == 3 && taps.dim() == 2 && x_in.size(2) == taps.size(0), "causal_conv: x ", x_in.sizes(), ", taps ", taps.sizes());
  TORCH_CHECK(x_in.scalar_type() == taps.scalar_type(), "causal_conv: x and taps differ in type");
  int64_t batch = x_in.size(0), rows = x_in.size(1), channels = x_in.size(2), count = taps.size(1), time = rows - count + 1;
  TORCH_CHECK(time >= 1, "causal_conv: ", rows, " rows for ", count, " taps");
  auto x = x_in.contiguous(), w = taps.t().contiguous();
  auto y = at::empty({batch, time, channels}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "causal_conv", [&] {
    auto xp = x.data_ptr<scalar_t>(), wp = w.data_ptr<scalar_t>(), yp = y.data_ptr<scalar_t>();
    at::parallel_for(0, batch * time, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        auto newest = xp + (i / time * rows + i % time + count - 1) * channels;
        auto out = yp + i * channels;
        for (int64_t c = 0; c < channels; c++) out[c] = wp[c] * newest[c];
        for (int64_t j = 1; j < count; j++) {
          auto row = newest - j * channels, tap = wp + j * channels;
          for (int64_t c = 0; c < channels; c++) out[c] += tap[c] * row[c];
        }
      }
    });
  });
  return y;
}

std::tuple<at::Tensor, at::Tensor> backward_cpu(const at::Tensor& dy_in, const at::Tensor& x_in, const at::Tensor& taps) {
  int64_t batch = x_in.size(0), rows = x_in.size(1), channels = x_in.size(2), count = taps.size(1), time = rows - count + 1;
  auto dy = dy_in.contiguous(), x = x_in.contiguous(), w = taps.t().contiguous();
  auto dx = at::zeros_like(x);
  // One part per row of the batch, so that the sum does not depend on the number of threads.
  auto parts = at::zeros({batch, count, channels}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "causal_conv_backward", [&] {
    auto gp = dy.data_ptr<scalar_t>(), xp = x.data_ptr<scalar_t>(), wp = w.data_ptr<scalar_t>();
    auto dxp = dx.data_ptr<scalar_t>(), pp = parts.data_ptr<scalar_t>();
    at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; b++) {
        for (int64_t t = 0; t < time; t++) {
          auto grad = gp + (b * time + t) * channels;
          for (int64_t j = 0; j < count; j++) {
            int64_t at = (b * rows + t + count - 1 - j) * channels;
            auto tap = wp + j * channels, part = pp + (b * count + j) * channels, row = xp + at, out = dxp + at;
            for (int64_t c = 0; c < channels; c++) {
              out[c] += tap[c] * grad[c];
              part[c] += row[c] * grad[c];
            }
          }
        }
      }
    });
  });
  return {dx, parts.sum(0).t().contiguous()};
}

struct CausalConv : torch::autograd::Function<CausalConv> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& taps) {
    at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({x, taps});
    return forward_cpu(x, taps);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto [dx, dtaps] = backward_cpu(grads[0], saved[0], saved[1]);
    return {dx, dtaps};
  }
};

at::Tensor causal_conv_autograd(const at::Tensor& x, const at::Tensor& taps) { return CausalConv::apply(x, taps); }

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) { m.def("causal_conv(Tensor x, Tensor taps) -> Tensor"); }
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("causal_conv", forward_cpu); }
TORCH_LIBRARY_IMPL(hearth, AutogradCPU, m) { m.impl("causal_conv", causal_conv_autograd); }
