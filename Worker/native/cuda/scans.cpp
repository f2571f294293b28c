// hearth::delta_scan and hearth::ssd_scan on CUDA in fp32: schemas and equations in ops/delta_scan.cpp and ops/ssd_scan.cpp.
#include "jit.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <string>
#include <tuple>
#include <vector>

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kEvery = 16;

const char* source =
#include "scans.cu"
    ;

struct DeltaInputs {
  const float *r, *k, *v, *alpha, *beta, *w;
};
struct DeltaGrads {
  float *r, *k, *v, *alpha, *beta, *log_w, *s0;
};
struct SsdGrads {
  float *x, *log_a, *b, *c, *h0;
};

float* data(const Tensor& tensor) { return tensor.defined() && tensor.numel() > 0 ? tensor.data_ptr<float>() : nullptr; }

int64_t blocks_of(int64_t time) { return (time + kEvery - 1) / kEvery; }

void run(const char* name, int64_t states, int64_t channels, int64_t jobs, std::vector<void*> arguments) {
  auto head = "constexpr int N = " + std::to_string(states) + ", P = " + std::to_string(channels) + ", kEvery = " + std::to_string(kEvery) + ";\n";
  hearth::launch({source, name}, head, jobs, static_cast<int>(channels), std::move(arguments));
}

void check(bool holds, const Tensor& x, int64_t states) {
  TORCH_CHECK(holds && x.scalar_type() == at::kFloat && x.numel() > 0, "a scan on CUDA takes float32 inputs whose shapes agree");
  TORCH_CHECK(states <= 64 && x.size(3) <= 64, "a scan on CUDA holds at most 64 states and 64 channels, not ", states, " and ", x.size(3));
}

// --- delta rule ----------------------------------------------------------------------------------------------------
struct Delta : torch::autograd::Function<Delta> {
  static variable_list forward(AutogradContext* ctx, const Tensor& r_in, const Tensor& k_in, const Tensor& v_in, const Tensor& alpha_in,
                               const Tensor& beta_in, const Tensor& log_w, const Tensor& s0_in, bool keep) {
    at::AutoDispatchBelowADInplaceOrView below;
    check(r_in.dim() == 4 && k_in.sizes() == r_in.sizes() && v_in.sizes() == r_in.sizes() && alpha_in.sizes() == r_in.sizes() && beta_in.sizes() == r_in.sizes() &&
              log_w.sizes() == r_in.sizes() && s0_in.sizes() == at::IntArrayRef({r_in.size(0), r_in.size(2), r_in.size(3), r_in.size(3)}),
          r_in, r_in.size(3));
    c10::cuda::CUDAGuard on(r_in.device());
    auto r = r_in.contiguous(), k = k_in.contiguous(), v = v_in.contiguous(), alpha = alpha_in.contiguous(), beta = beta_in.contiguous();
    auto w = log_w.contiguous().exp(), s0 = s0_in.contiguous(), y = at::empty_like(r), s_end = at::empty_like(s0);
    int64_t batch = r.size(0), time = r.size(1), heads = r.size(2), n = r.size(3);
    auto kept = keep ? at::empty({batch, heads, blocks_of(time), n, n}, r.options()) : Tensor();
    DeltaInputs in{data(r), data(k), data(v), data(alpha), data(beta), data(w)};
    float *start = data(s0), *out = data(y), *end = data(s_end), *states = data(kept);
    run("delta_forward", n, n, batch * heads, {&in, &start, &out, &end, &states, &time, &heads});
    if (keep) {
      ctx->save_for_backward({r, k, v, alpha, beta, w, kept});
      ctx->set_materialize_grads(false);
    }
    return {y, s_end};
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto s = ctx->get_saved_variables();
    c10::cuda::CUDAGuard on(s[0].device());
    auto dy = grads[0].defined() ? grads[0].contiguous() : Tensor(), ds_end = grads[1].defined() ? grads[1].contiguous() : Tensor();
    int64_t batch = s[0].size(0), time = s[0].size(1), heads = s[0].size(2), n = s[0].size(3);
    variable_list out;
    for (int i = 0; i < 6; i++) out.push_back(at::empty_like(s[0]));
    out.push_back(at::empty({batch, heads, n, n}, s[0].options()));
    auto scratch = at::empty({batch * heads, kEvery + 1, n, n}, s[0].options());
    DeltaInputs in{data(s[0]), data(s[1]), data(s[2]), data(s[3]), data(s[4]), data(s[5])};
    DeltaGrads d{data(out[0]), data(out[1]), data(out[2]), data(out[3]), data(out[4]), data(out[5]), data(out[6])};
    float *kept = data(s[6]), *y = data(dy), *end = data(ds_end), *states = data(scratch);
    run("delta_backward", n, n, batch * heads, {&in, &kept, &y, &end, &d, &states, &time, &heads});
    out.push_back(Tensor());
    return out;
  }
};

std::tuple<Tensor, Tensor> delta_scan(const Tensor& r, const Tensor& k, const Tensor& v, const Tensor& alpha, const Tensor& beta, const Tensor& log_w,
                                      const Tensor& s0) {
  auto both = Delta::apply(r, k, v, alpha, beta, log_w, s0, at::GradMode::is_enabled());
  return {both[0], both[1]};
}

// --- ssd -----------------------------------------------------------------------------------------------------------
struct Ssd : torch::autograd::Function<Ssd> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x_in, const Tensor& log_a, const Tensor& b_in, const Tensor& c_in, const Tensor& h0_in, bool keep) {
    at::AutoDispatchBelowADInplaceOrView below;
    int64_t batch = x_in.size(0), time = x_in.size(1), heads = x_in.size(2), p = x_in.size(3), n = b_in.size(2);
    check(x_in.dim() == 4 && log_a.sizes() == at::IntArrayRef({batch, time, heads}) && b_in.sizes() == at::IntArrayRef({batch, time, n}) && c_in.sizes() == b_in.sizes() &&
              h0_in.sizes() == at::IntArrayRef({batch, heads, p, n}),
          x_in, n);
    c10::cuda::CUDAGuard on(x_in.device());
    auto x = x_in.contiguous(), a = log_a.contiguous().exp(), b = b_in.contiguous(), c = c_in.contiguous(), h0 = h0_in.contiguous();
    auto y = at::empty_like(x), h_end = at::empty_like(h0), kept = keep ? at::empty({batch, heads, blocks_of(time), p, n}, x.options()) : Tensor();
    float *xs = data(x), *as = data(a), *bs = data(b), *cs = data(c), *start = data(h0), *out = data(y), *end = data(h_end), *states = data(kept);
    run("ssd_forward", n, p, batch * heads, {&xs, &as, &bs, &cs, &start, &out, &end, &states, &time, &heads});
    if (keep) {
      ctx->save_for_backward({x, a, b, c, kept});
      ctx->set_materialize_grads(false);
    }
    return {y, h_end};
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto s = ctx->get_saved_variables();
    c10::cuda::CUDAGuard on(s[0].device());
    auto dy = grads[0].defined() ? grads[0].contiguous() : Tensor(), dh_end = grads[1].defined() ? grads[1].contiguous() : Tensor();
    int64_t batch = s[0].size(0), time = s[0].size(1), heads = s[0].size(2), p = s[0].size(3), n = s[2].size(2);
    auto options = s[0].options();
    auto dx = at::empty_like(s[0]), dlog_a = at::empty_like(s[1]), db = at::empty({batch, time, heads, n}, options), dc = at::empty_like(db);
    auto dh0 = at::empty({batch, heads, p, n}, options), scratch = at::empty({batch * heads, kEvery + 1, n, p}, options);
    SsdGrads d{data(dx), data(dlog_a), data(db), data(dc), data(dh0)};
    float *xs = data(s[0]), *as = data(s[1]), *bs = data(s[2]), *cs = data(s[3]), *kept = data(s[4]), *y = data(dy), *end = data(dh_end), *states = data(scratch);
    run("ssd_backward", n, p, batch * heads, {&xs, &as, &bs, &cs, &kept, &y, &end, &d, &states, &time, &heads});
    return {dx, dlog_a, db.sum(2), dc.sum(2), dh0, Tensor()};
  }
};

std::tuple<Tensor, Tensor> ssd_scan(const Tensor& x, const Tensor& log_a, const Tensor& b, const Tensor& c, const Tensor& h0) {
  auto both = Ssd::apply(x, log_a, b, c, h0, at::GradMode::is_enabled());
  return {both[0], both[1]};
}

}  // namespace

TORCH_LIBRARY_IMPL(hearth, CUDA, m) {
  m.impl("delta_scan", delta_scan);
  m.impl("ssd_scan", ssd_scan);
}
TORCH_LIBRARY_IMPL(hearth, AutogradCUDA, m) {
  m.impl("delta_scan", delta_scan);
  m.impl("ssd_scan", ssd_scan);
}
