// hearth::rotate: rotary positions with learned angles, pairs (p, p + N/2), forward and backward (x, cosines, sines) in one pass each.
// x [B,H,T,N] of any layout with whole rows, cos and sin [G,T,N/2] with G = H or 1 (shared by all heads). Its naive twin in plain
// operators is BlackHoleRope.Naive.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor rows(const at::Tensor& x) { return x.stride(3) == 1 ? x : x.contiguous(); }

at::Tensor forward_cpu(const at::Tensor& x_in, const at::Tensor& cos_in, const at::Tensor& sin_in) {
  TORCH_CHECK(x_in.dim() == 4 && cos_in.dim() == 3 && cos_in.sizes() == sin_in.sizes() && (cos_in.size(0) == 1 || cos_in.size(0) == x_in.size(1)) &&
                  cos_in.size(1) == x_in.size(2) && 2 * cos_in.size(2) == x_in.size(3),
              "rotate: x ", x_in.sizes(), ", angles ", cos_in.sizes());
  TORCH_CHECK(x_in.scalar_type() == cos_in.scalar_type() && x_in.scalar_type() == sin_in.scalar_type(), "rotate: x and angles differ in type");
  auto x = rows(x_in), cos = cos_in.contiguous(), sin = sin_in.contiguous();
  int64_t batch = x.size(0), heads = x.size(1), time = x.size(2), half = x.size(3) / 2, shared = cos.size(0) == 1 ? 0 : 1;
  auto y = at::empty(x.sizes(), x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rotate", [&] {
    auto xp = x.data_ptr<scalar_t>(), cp = cos.data_ptr<scalar_t>(), sp = sin.data_ptr<scalar_t>(), yp = y.data_ptr<scalar_t>();
    at::parallel_for(0, batch * heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        int64_t b = i / heads, h = i % heads;
        for (int64_t t = 0; t < time; t++) {
          auto in = xp + b * x.stride(0) + h * x.stride(1) + t * x.stride(2);
          auto out = yp + (i * time + t) * 2 * half;
          auto c = cp + (h * shared * time + t) * half, s = sp + (h * shared * time + t) * half;
          for (int64_t p = 0; p < half; p++) {
            out[p] = in[p] * c[p] - in[p + half] * s[p];
            out[p + half] = in[p] * s[p] + in[p + half] * c[p];
          }
        }
      }
    });
  });
  return y;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward_cpu(const at::Tensor& dy_in, const at::Tensor& x_in, const at::Tensor& cos_in, const at::Tensor& sin_in) {
  auto dy = rows(dy_in), x = rows(x_in), cos = cos_in.contiguous(), sin = sin_in.contiguous();
  int64_t batch = x.size(0), heads = x.size(1), time = x.size(2), half = x.size(3) / 2, sets = cos.size(0), group = heads / sets;
  // In x's own layout, so that the projection before gets its gradient without a copy.
  auto dx = at::empty_like(x);
  if (dx.stride(3) != 1) dx = at::empty(x.sizes(), x.options());
  auto dcos = at::zeros_like(cos), dsin = at::zeros_like(sin);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rotate_backward", [&] {
    auto gp = dy.data_ptr<scalar_t>(), xp = x.data_ptr<scalar_t>(), cp = cos.data_ptr<scalar_t>(), sp = sin.data_ptr<scalar_t>();
    auto dxp = dx.data_ptr<scalar_t>(), dcp = dcos.data_ptr<scalar_t>(), dsp = dsin.data_ptr<scalar_t>();
    // Each angle is one task's alone, whatever the number of threads.
    at::parallel_for(0, sets * time, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        int64_t set = i / time, t = i % time;
        auto c = cp + i * half, s = sp + i * half, dc = dcp + i * half, ds = dsp + i * half;
        for (int64_t b = 0; b < batch; b++) {
          for (int64_t h = set * group; h < (set + 1) * group; h++) {
            auto in = xp + b * x.stride(0) + h * x.stride(1) + t * x.stride(2);
            auto g = gp + b * dy.stride(0) + h * dy.stride(1) + t * dy.stride(2);
            auto out = dxp + b * dx.stride(0) + h * dx.stride(1) + t * dx.stride(2);
            for (int64_t p = 0; p < half; p++) {
              scalar_t ga = g[p], gb = g[p + half], a = in[p], z = in[p + half];
              out[p] = ga * c[p] + gb * s[p];
              out[p + half] = gb * c[p] - ga * s[p];
              dc[p] += ga * a + gb * z;
              ds[p] += gb * a - ga * z;
            }
          }
        }
      }
    });
  });
  return {dx, dcos, dsin};
}

struct Rotate : torch::autograd::Function<Rotate> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({x, cos, sin});
    return forward_cpu(x, cos, sin);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto [dx, dcos, dsin] = backward_cpu(grads[0], saved[0], saved[1], saved[2]);
    return {dx, dcos, dsin};
  }
};

at::Tensor rotate_autograd(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) { return Rotate::apply(x, cos, sin); }

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) { m.def("rotate(Tensor x, Tensor cos, Tensor sin) -> Tensor"); }
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("rotate", forward_cpu); }
TORCH_LIBRARY_IMPL(hearth, AutogradCPU, m) { m.impl("rotate", rotate_autograd); }
