// hearth::causal_attention: softmax(q k^T) v where row t sees keys 0..t, scores unscaled, in blocks of query rows: keys after a block
// are never multiplied, and what is kept for the backward pass is half of a T x T matrix instead of several whole ones.
// q, k [B,H,T,N], v [B,H,T,M]. Its naive twin is scaled_dot_product_attention in plain operators.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kBlock = 64;

at::Tensor flat(const at::Tensor& x) { return x.reshape({x.size(0) * x.size(1), x.size(2), x.size(3)}).contiguous(); }

// Weights of the block's rows over keys 0..last-1, [BH,R,last].
at::Tensor weights(const at::Tensor& q, const at::Tensor& k, const at::Tensor& later, int64_t first, int64_t last) {
  auto scores = at::bmm(q.slice(1, first, last), k.slice(1, 0, last).transpose(1, 2));
  int64_t rows = last - first;
  scores.slice(2, first, last).add_(later.slice(0, 0, rows).slice(1, 0, rows));
  return at::softmax(scores, -1);
}

at::Tensor forward_cpu(const at::Tensor& q_in, const at::Tensor& k_in, const at::Tensor& v_in, std::vector<at::Tensor>* kept) {
  TORCH_CHECK(q_in.dim() == 4 && q_in.sizes() == k_in.sizes() && v_in.dim() == 4 && v_in.size(2) == q_in.size(2),
              "causal_attention: q ", q_in.sizes(), ", k ", k_in.sizes(), ", v ", v_in.sizes());
  auto q = flat(q_in), k = flat(k_in), v = flat(v_in);
  int64_t time = q.size(1);
  auto out = at::empty(v.sizes(), v.options());
  auto later = at::full({kBlock, kBlock}, -std::numeric_limits<double>::infinity(), q.options()).triu(1);
  for (int64_t first = 0; first < time; first += kBlock) {
    int64_t last = std::min(time, first + kBlock);
    auto p = weights(q, k, later, first, last);
    out.slice(1, first, last).copy_(at::bmm(p, v.slice(1, 0, last)));
    if (kept != nullptr) kept->push_back(p);
  }
  return out.view(v_in.sizes());
}

at::Tensor causal_attention_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) { return forward_cpu(q, k, v, nullptr); }

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    at::AutoDispatchBelowADInplaceOrView below;
    std::vector<at::Tensor> saved = {q, k, v};
    auto out = forward_cpu(q, k, v, &saved);
    ctx->save_for_backward(saved);
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto q = flat(saved[0]), k = flat(saved[1]), v = flat(saved[2]), dy = flat(grads[0]);
    auto dq = at::empty_like(q), dk = at::zeros_like(k), dv = at::zeros_like(v);
    int64_t time = q.size(1), block = 3;
    for (int64_t first = 0; first < time; first += kBlock, block++) {
      int64_t last = std::min(time, first + kBlock);
      const auto& p = saved[block];
      auto dy_rows = dy.slice(1, first, last);
      auto dp = at::bmm(dy_rows, v.slice(1, 0, last).transpose(1, 2));
      auto ds = at::_softmax_backward_data(dp, p, -1, p.scalar_type());
      dq.slice(1, first, last).copy_(at::bmm(ds, k.slice(1, 0, last)));
      dk.slice(1, 0, last).add_(at::bmm(ds.transpose(1, 2), q.slice(1, first, last)));
      dv.slice(1, 0, last).add_(at::bmm(p.transpose(1, 2), dy_rows));
    }
    return {dq.view(saved[0].sizes()), dk.view(saved[1].sizes()), dv.view(saved[2].sizes())};
  }
};

at::Tensor causal_attention_autograd(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) { return CausalAttention::apply(q, k, v); }

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) { m.def("causal_attention(Tensor q, Tensor k, Tensor v) -> Tensor"); }
TORCH_LIBRARY_IMPL(hearth, CPU, m) { m.impl("causal_attention", causal_attention_cpu); }
TORCH_LIBRARY_IMPL(hearth, AutogradCPU, m) { m.impl("causal_attention", causal_attention_autograd); }
