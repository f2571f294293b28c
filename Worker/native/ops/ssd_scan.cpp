// hearth::ssd_scan: the state update of Mamba-2 (Dao & Gu, arXiv 2405.21060), forward and backward.
//   h_t = e^(log a_t) h_{t-1} + x_t B_t^T;  y_t = h_t C_t
// x [B,T,H,P], log_a [B,T,H], b and c [B,T,N] (one group), h0 [B,H,P,N]. Its naive twin is SsdScan.Naive.
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

void check(const Tensor& x, const Tensor& log_a, const Tensor& b, const Tensor& c, const Tensor& h0) {
  TORCH_CHECK(x.dim() == 4 && b.dim() == 3, "ssd_scan: x has ", x.dim(), " dimensions and b ", b.dim(), ", not [B,T,H,P] and [B,T,N]");
  auto batch = x.size(0), time = x.size(1), heads = x.size(2), p = x.size(3), n = b.size(2);
  TORCH_CHECK(log_a.sizes() == at::IntArrayRef({batch, time, heads}), "ssd_scan: log_a is ", log_a.sizes(), ", x is ", x.sizes());
  TORCH_CHECK(b.sizes() == at::IntArrayRef({batch, time, n}) && c.sizes() == b.sizes(), "ssd_scan: b is ", b.sizes(), ", c is ", c.sizes(),
              ", x is ", x.sizes());
  TORCH_CHECK(h0.sizes() == at::IntArrayRef({batch, heads, p, n}), "ssd_scan: h0 is ", h0.sizes(), ", not [B,H,P,N]");
  for (const auto& other : {log_a, b, c, h0}) {
    TORCH_CHECK(other.scalar_type() == x.scalar_type(), "ssd_scan: an input is ", other.scalar_type(), ", x is ", x.scalar_type());
  }
}

template <class T>
void run(const SsdJob<T>& job, int64_t jobs, int64_t width, void (*loop)(const SsdJob<T>&, int64_t, T*)) {
  TORCH_CHECK(loop != nullptr, "ssd_scan: a head has ", width, " channels. Allowed: 8, 16, 32, 64.");
  at::parallel_for(0, jobs, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> scratch((job.every + 2) * width * job.states);
    for (int64_t i = begin; i < end; i++) loop(job, i, scratch.data());
  });
}

// y, the last state, e^(log a), and the states every kEvery steps when they are asked for.
std::tuple<Tensor, Tensor, Tensor, Tensor> forward_cpu(const Tensor& x, const Tensor& log_a, const Tensor& b, const Tensor& c,
                                                       const Tensor& h0, bool keep) {
  check(x, log_a, b, c, h0);
  auto a = log_a.contiguous().exp(), y = at::empty(x.sizes(), x.options()), h_end = at::empty(h0.sizes(), h0.options());
  int64_t batch = x.size(0), time = x.size(1), heads = x.size(2), p = x.size(3), n = b.size(2);
  auto kept = keep ? at::empty({batch, heads, blocks_of(time), n, p}, x.options()) : at::empty({0}, x.options());
  auto xc = x.contiguous(), bc = b.contiguous(), cc = c.contiguous(), hc = h0.contiguous();
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "ssd_scan", [&] {
    SsdJob<scalar_t> job{};
    job.time = time, job.heads = heads, job.states = n, job.every = kEvery;
    job.x = xc.data_ptr<scalar_t>(), job.a = a.data_ptr<scalar_t>(), job.b = bc.data_ptr<scalar_t>(), job.c = cc.data_ptr<scalar_t>();
    job.h0 = hc.data_ptr<scalar_t>();
    job.y = y.data_ptr<scalar_t>(), job.h_end = h_end.data_ptr<scalar_t>(), job.kept = keep ? kept.data_ptr<scalar_t>() : nullptr;
    run(job, batch * heads, p, scan_loops<scalar_t>(p).ssd_forward);
  });
  return {y, h_end, a, kept};
}

variable_list backward_cpu(const variable_list& saved, const Tensor& dy, const Tensor& dh_end) {
  auto x = saved[0].contiguous(), a = saved[1], b = saved[2].contiguous(), c = saved[3].contiguous(), kept = saved[4];
  auto dyc = dy.defined() ? dy.contiguous() : dy, dhc = dh_end.defined() ? dh_end.contiguous() : dh_end;
  int64_t batch = x.size(0), time = x.size(1), heads = x.size(2), p = x.size(3), n = b.size(2);
  auto dx = at::empty(x.sizes(), x.options()), dlog_a = at::empty({batch, time, heads}, x.options());
  auto db = at::empty({batch, time, heads, n}, x.options()), dc = at::empty({batch, time, heads, n}, x.options());
  auto dh0 = at::empty({batch, heads, p, n}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "ssd_scan_backward", [&] {
    SsdJob<scalar_t> job{};
    job.time = time, job.heads = heads, job.states = n, job.every = kEvery;
    job.x = x.data_ptr<scalar_t>(), job.a = a.data_ptr<scalar_t>(), job.b = b.data_ptr<scalar_t>(), job.c = c.data_ptr<scalar_t>();
    job.kept = kept.data_ptr<scalar_t>();
    job.dy = dyc.defined() ? dyc.data_ptr<scalar_t>() : nullptr;
    job.dh_end = dhc.defined() ? dhc.data_ptr<scalar_t>() : nullptr;
    job.dx = dx.data_ptr<scalar_t>(), job.dlog_a = dlog_a.data_ptr<scalar_t>(), job.dh0 = dh0.data_ptr<scalar_t>();
    job.db = db.data_ptr<scalar_t>(), job.dc = dc.data_ptr<scalar_t>();
    run(job, batch * heads, p, scan_loops<scalar_t>(p).ssd_backward);
  });
  return {dx, dlog_a, db.sum(2), dc.sum(2), dh0};
}

struct SsdScan : torch::autograd::Function<SsdScan> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& log_a, const Tensor& b, const Tensor& c, const Tensor& h0) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto [y, h_end, a, kept] = forward_cpu(x, log_a, b, c, h0, true);
    ctx->save_for_backward({x, a, b, c, kept});
    ctx->set_materialize_grads(false);
    return {y, h_end};
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return backward_cpu(ctx->get_saved_variables(), grads[0], grads[1]);
  }
};

std::tuple<Tensor, Tensor> ssd_scan_cpu(const Tensor& x, const Tensor& log_a, const Tensor& b, const Tensor& c, const Tensor& h0) {
  auto [y, h_end, a, kept] = forward_cpu(x, log_a, b, c, h0, false);
  return {y, h_end};
}

std::tuple<Tensor, Tensor> ssd_scan_autograd(const Tensor& x, const Tensor& log_a, const Tensor& b, const Tensor& c, const Tensor& h0) {
  if (!at::GradMode::is_enabled()) {
    at::AutoDispatchBelowADInplaceOrView below;
    return ssd_scan_cpu(x, log_a, b, c, h0);
  }
  auto both = SsdScan::apply(x, log_a, b, c, h0);
  return {both[0], both[1]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) { m.def("ssd_scan(Tensor x, Tensor log_a, Tensor b, Tensor c, Tensor h0) -> (Tensor, Tensor)"); }
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("ssd_scan", ssd_scan_cpu); }
TORCH_LIBRARY_IMPL(hearth, AutogradCPU, m) { m.impl("ssd_scan", ssd_scan_autograd); }
