// hearth::delta_scan: the generalised delta rule's state update of RWKV-7 (Peng et al., arXiv 2503.14456, eq. 17), forward and backward.
//   u_t = S_{t-1}^T alpha_t;  S_t = diag(w_t) S_{t-1} + beta_t u_t^T + k_t v_t^T;  y_t = S_t^T r_t
// r, k, v, alpha, beta, log_w [B,T,H,N], s0 [B,H,N,N] with rows = key index; any log_w <= 0 is safe. Its naive twin is DeltaScan.Naive.
#include "scans.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>
#include <vector>

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kEvery = 16;

int64_t blocks_of(int64_t time) { return (time + kEvery - 1) / kEvery; }

void check(const Tensor& r, const variable_list& others, const Tensor& s0) {
  TORCH_CHECK(r.dim() == 4, "delta_scan: r has ", r.dim(), " dimensions, not [B,T,H,N]");
  for (const auto& other : others) {
    TORCH_CHECK(other.sizes() == r.sizes() && other.scalar_type() == r.scalar_type(), "delta_scan: an input is ", other.sizes(), " ",
                other.scalar_type(), ", r is ", r.sizes(), " ", r.scalar_type());
  }
  auto n = r.size(3);
  TORCH_CHECK(s0.sizes() == at::IntArrayRef({r.size(0), r.size(2), n, n}) && s0.scalar_type() == r.scalar_type(), "delta_scan: s0 is ",
              s0.sizes(), " ", s0.scalar_type(), ", not [B,H,N,N] of r's type");
}

template <class T>
void run(const DeltaJob<T>& job, int64_t jobs, int64_t width, void (*loop)(const DeltaJob<T>&, int64_t, T*)) {
  TORCH_CHECK(loop != nullptr, "delta_scan: a head has ", width, " channels. Allowed: 8, 16, 32, 64.");
  at::parallel_for(0, jobs, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> scratch((job.every + 2) * width * width + (job.every + 1) * width);
    for (int64_t i = begin; i < end; i++) loop(job, i, scratch.data());
  });
}

// y, the last state, e^(log w), and the states every kEvery steps when they are asked for.
std::tuple<Tensor, Tensor, Tensor, Tensor> forward_cpu(const Tensor& r, const Tensor& k, const Tensor& v, const Tensor& alpha,
                                                       const Tensor& beta, const Tensor& log_w, const Tensor& s0, bool keep) {
  check(r, {k, v, alpha, beta, log_w}, s0);
  auto w = log_w.contiguous().exp(), y = at::empty(r.sizes(), r.options()), s_end = at::empty(s0.sizes(), s0.options());
  int64_t batch = r.size(0), time = r.size(1), heads = r.size(2), n = r.size(3);
  auto kept = keep ? at::empty({batch, heads, blocks_of(time), n, n}, r.options()) : at::empty({0}, r.options());
  auto rc = r.contiguous(), kc = k.contiguous(), vc = v.contiguous(), ac = alpha.contiguous(), bc = beta.contiguous(), sc = s0.contiguous();
  AT_DISPATCH_FLOATING_TYPES(r.scalar_type(), "delta_scan", [&] {
    DeltaJob<scalar_t> job{};
    job.time = time, job.heads = heads, job.every = kEvery;
    job.r = rc.data_ptr<scalar_t>(), job.k = kc.data_ptr<scalar_t>(), job.v = vc.data_ptr<scalar_t>();
    job.alpha = ac.data_ptr<scalar_t>(), job.beta = bc.data_ptr<scalar_t>(), job.w = w.data_ptr<scalar_t>(), job.s0 = sc.data_ptr<scalar_t>();
    job.y = y.data_ptr<scalar_t>(), job.s_end = s_end.data_ptr<scalar_t>(), job.kept = keep ? kept.data_ptr<scalar_t>() : nullptr;
    run(job, batch * heads, n, scan_loops<scalar_t>(n).delta_forward);
  });
  return {y, s_end, w, kept};
}

variable_list backward_cpu(const variable_list& saved, const Tensor& dy, const Tensor& ds_end) {
  auto r = saved[0].contiguous(), k = saved[1].contiguous(), v = saved[2].contiguous(), alpha = saved[3].contiguous();
  auto beta = saved[4].contiguous(), w = saved[5], kept = saved[6];
  auto dyc = dy.defined() ? dy.contiguous() : dy, dsc = ds_end.defined() ? ds_end.contiguous() : ds_end;
  int64_t batch = r.size(0), time = r.size(1), heads = r.size(2), n = r.size(3);
  variable_list grads;
  for (int i = 0; i < 6; i++) grads.push_back(at::empty(r.sizes(), r.options()));
  grads.push_back(at::empty({batch, heads, n, n}, r.options()));
  AT_DISPATCH_FLOATING_TYPES(r.scalar_type(), "delta_scan_backward", [&] {
    DeltaJob<scalar_t> job{};
    job.time = time, job.heads = heads, job.every = kEvery;
    job.r = r.data_ptr<scalar_t>(), job.k = k.data_ptr<scalar_t>(), job.v = v.data_ptr<scalar_t>();
    job.alpha = alpha.data_ptr<scalar_t>(), job.beta = beta.data_ptr<scalar_t>(), job.w = w.data_ptr<scalar_t>();
    job.kept = kept.data_ptr<scalar_t>();
    job.dy = dyc.defined() ? dyc.data_ptr<scalar_t>() : nullptr;
    job.ds_end = dsc.defined() ? dsc.data_ptr<scalar_t>() : nullptr;
    job.dr = grads[0].data_ptr<scalar_t>(), job.dk = grads[1].data_ptr<scalar_t>(), job.dv = grads[2].data_ptr<scalar_t>();
    job.dalpha = grads[3].data_ptr<scalar_t>(), job.dbeta = grads[4].data_ptr<scalar_t>(), job.dlog_w = grads[5].data_ptr<scalar_t>();
    job.ds0 = grads[6].data_ptr<scalar_t>();
    run(job, batch * heads, n, scan_loops<scalar_t>(n).delta_backward);
  });
  return grads;
}

struct DeltaScan : torch::autograd::Function<DeltaScan> {
  static variable_list forward(AutogradContext* ctx, const Tensor& r, const Tensor& k, const Tensor& v, const Tensor& alpha,
                               const Tensor& beta, const Tensor& log_w, const Tensor& s0) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto [y, s_end, w, kept] = forward_cpu(r, k, v, alpha, beta, log_w, s0, true);
    ctx->save_for_backward({r, k, v, alpha, beta, w, kept});
    // Most callers drop the last state: its gradient then stays undefined instead of a tensor of zeros.
    ctx->set_materialize_grads(false);
    return {y, s_end};
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return backward_cpu(ctx->get_saved_variables(), grads[0], grads[1]);
  }
};

std::tuple<Tensor, Tensor> delta_scan_cpu(const Tensor& r, const Tensor& k, const Tensor& v, const Tensor& alpha, const Tensor& beta,
                                          const Tensor& log_w, const Tensor& s0) {
  auto [y, s_end, w, kept] = forward_cpu(r, k, v, alpha, beta, log_w, s0, false);
  return {y, s_end};
}

std::tuple<Tensor, Tensor> delta_scan_autograd(const Tensor& r, const Tensor& k, const Tensor& v, const Tensor& alpha, const Tensor& beta,
                                               const Tensor& log_w, const Tensor& s0) {
  if (!at::GradMode::is_enabled()) {
    at::AutoDispatchBelowADInplaceOrView below;
    return delta_scan_cpu(r, k, v, alpha, beta, log_w, s0);
  }
  auto both = DeltaScan::apply(r, k, v, alpha, beta, log_w, s0);
  return {both[0], both[1]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) {
  m.def("delta_scan(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor log_w, Tensor s0) -> (Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("delta_scan", delta_scan_cpu); }
TORCH_LIBRARY_IMPL(hearth, AutogradCPU, m) { m.impl("delta_scan", delta_scan_autograd); }
