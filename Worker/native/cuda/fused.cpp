// The operators of ops/ and of this folder on CUDA. Each has a naive twin in plain operators in C#; `hearth-trainer selftest`
// compares outputs and every gradient on the card at hand.
#include "jit.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <tuple>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const char* source =
#include "fused.cu"
    ;

constexpr int kThreads = 256;

std::string type_of(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16, "a fused kernel takes float32 or bfloat16, not ", tensor.scalar_type());
  return tensor.scalar_type() == at::kFloat ? "float" : "bf16";
}

void run(const char* name, const std::string& type, int64_t blocks, int threads, std::vector<void*> arguments) {
  hearth::launch({source, name}, "typedef " + type + " T;\n", blocks, threads, std::move(arguments));
}

int64_t blocks_for(int64_t n) { return std::min<int64_t>((n + kThreads - 1) / kThreads, 132 * 32); }

// Threads of a block that shares a row of at most 8 columns a thread.
int threads_for(int64_t width) {
  TORCH_CHECK(width <= 8 * 1024, "a row of ", width, " columns; at most 8,192");
  int64_t wanted = width <= 1024 ? (width + 3) / 4 : (width + 7) / 8;
  return static_cast<int>(std::max<int64_t>(32, (wanted + 31) / 32 * 32));
}

// --- cross entropy -------------------------------------------------------------------------------------------------
std::tuple<at::Tensor, at::Tensor> cross_entropy_(at::Tensor logits, const at::Tensor& labels, int64_t vocab, double z, double softcap) {
  TORCH_CHECK(logits.dim() == 2 && logits.is_contiguous() && labels.dim() == 1 && labels.size(0) == logits.size(0) && labels.is_contiguous() &&
                  labels.scalar_type() == at::kLong && vocab > 0 && vocab <= logits.size(1) && logits.size(1) % 8 == 0,
              "cross_entropy_: logits [S,P] of whole packs of 8 columns and int64 labels [S], vocab at most P");
  c10::cuda::CUDAGuard on(logits.device());
  auto losses = at::empty({logits.size(0)}, logits.options().dtype(at::kFloat)), squares = at::empty_like(losses);
  void *l = logits.data_ptr(), *y = labels.data_ptr(), *out = losses.data_ptr(), *sq = squares.data_ptr();
  int64_t stride = logits.size(1);
  float zf = static_cast<float>(z), cap = static_cast<float>(softcap);
  run("cross_entropy", type_of(logits), logits.size(0), 512, {&l, &y, &out, &sq, &stride, &vocab, &zf, &cap});
  return {losses, squares};
}

// --- swiglu --------------------------------------------------------------------------------------------------------
struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& gate_in, const at::Tensor& up_in) {
    at::AutoDispatchBelowADInplaceOrView below;
    TORCH_CHECK(gate_in.sizes() == up_in.sizes() && gate_in.scalar_type() == up_in.scalar_type(), "swiglu: gate and up differ");
    auto gate = gate_in.contiguous(), up = up_in.contiguous();
    c10::cuda::CUDAGuard on(gate.device());
    auto y = at::empty_like(gate);
    void *g = gate.data_ptr(), *u = up.data_ptr(), *out = y.data_ptr();
    int64_t n = gate.numel();
    run("swiglu", type_of(gate), blocks_for(n), kThreads, {&g, &u, &out, &n});
    ctx->save_for_backward({gate, up});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto dy = grads[0].contiguous();
    c10::cuda::CUDAGuard on(dy.device());
    auto dgate = at::empty_like(saved[0]), dup = at::empty_like(saved[1]);
    void *d = dy.data_ptr(), *g = saved[0].data_ptr(), *u = saved[1].data_ptr(), *dg = dgate.data_ptr(), *du = dup.data_ptr();
    int64_t n = dy.numel();
    run("swiglu_backward", type_of(dy), blocks_for(n), kThreads, {&d, &g, &u, &dg, &du, &n});
    return {dgate, dup};
  }
};

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) { return SwiGlu::apply(gate, up); }

// --- rope ----------------------------------------------------------------------------------------------------------
at::Tensor turn(const at::Tensor& x_BTHN, const at::Tensor& cosine, const at::Tensor& sine, float sign) {
  auto x = x_BTHN.contiguous();
  c10::cuda::CUDAGuard on(x.device());
  auto y = at::empty_like(x);
  int64_t time = x.size(1), heads = x.size(2), width = x.size(3), pairs = cosine.size(1), rows = x.numel() / std::max<int64_t>(1, width);
  void *from = x.data_ptr(), *c = cosine.data_ptr(), *s = sine.data_ptr(), *to = y.data_ptr();
  run("rope", type_of(x), blocks_for(rows * (width - pairs)), kThreads, {&from, &c, &s, &to, &rows, &time, &heads, &width, &pairs, &sign});
  return y;
}

struct Rope : torch::autograd::Function<Rope> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
    at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({cosine, sine});
    return turn(x, cosine, sine, 1);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    return {turn(grads[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

at::Tensor rope(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  TORCH_CHECK(x.dim() == 4 && cosine.dim() == 2 && cosine.sizes() == sine.sizes() && cosine.size(0) == x.size(1) && 2 * cosine.size(1) <= x.size(3),
              "rope: x [B,T,H,N], cosines and sines [T,P] with 2P <= N");
  TORCH_CHECK(cosine.scalar_type() == at::kFloat && sine.scalar_type() == at::kFloat, "rope: tables are float32");
  return Rope::apply(x, cosine.contiguous(), sine.contiguous());
}

// --- rms norm ------------------------------------------------------------------------------------------------------
struct RmsNormTo : torch::autograd::Function<RmsNormTo> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x_in, const at::Tensor& w, double eps, bool narrow) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto x = x_in.contiguous();
    c10::cuda::CUDAGuard on(x.device());
    int64_t width = w.size(0), rows = x.numel() / std::max<int64_t>(1, width);
    auto y = at::empty(x.sizes(), x.options().dtype(narrow ? at::kBFloat16 : at::kFloat));
    auto inverse = at::empty({rows}, x.options());
    void *from = x.data_ptr(), *weight = w.data_ptr(), *to = y.data_ptr(), *r = inverse.data_ptr();
    float e = static_cast<float>(eps);
    run("rms_norm", type_of(y), (rows + 7) / 8, kThreads, {&from, &weight, &to, &r, &rows, &width, &e});
    ctx->save_for_backward({x, w, inverse});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    auto dy = grads[0].contiguous(), x = saved[0];
    c10::cuda::CUDAGuard on(x.device());
    int64_t width = saved[1].size(0), rows = saved[2].numel(), run_rows = std::max<int64_t>(1, (rows + 2111) / 2112), blocks = (rows + run_rows - 1) / run_rows;
    auto dx = at::empty_like(x), parts = at::empty({blocks, width}, x.options());
    void *d = dy.data_ptr(), *from = x.data_ptr(), *weight = saved[1].data_ptr(), *r = saved[2].data_ptr(), *to = dx.data_ptr(), *p = parts.data_ptr();
    run("rms_norm_backward", type_of(dy), blocks, threads_for(width), {&d, &from, &weight, &r, &to, &p, &rows, &width, &run_rows});
    return {dx, parts.sum(0), at::Tensor(), at::Tensor()};
  }
};

at::Tensor rms_norm_to(const at::Tensor& x, const at::Tensor& w, double eps, bool narrow) {
  TORCH_CHECK(w.dim() == 1 && x.dim() >= 1 && x.size(-1) == w.size(0), "rms_norm: x ends in ", x.size(-1), ", the weight has ", w.size(0));
  TORCH_CHECK(x.scalar_type() == at::kFloat && w.scalar_type() == at::kFloat && w.is_contiguous(), "rms_norm on CUDA: x and weight are float32");
  return RmsNormTo::apply(x, w, eps, narrow);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) {
  m.def("cross_entropy_(Tensor(a!) logits, Tensor labels, int vocab, float z, float softcap) -> (Tensor, Tensor)");
  m.def("swiglu(Tensor gate, Tensor up) -> Tensor");
  m.def("rope(Tensor x, Tensor cosine, Tensor sine) -> Tensor");
  m.def("rms_norm_to(Tensor x, Tensor weight, float eps, bool narrow) -> Tensor");
}
TORCH_LIBRARY_IMPL(hearth, CUDA, m) {
  m.impl("cross_entropy_", cross_entropy_);
  m.impl("swiglu", swiglu);
  m.impl("rope", rope);
  m.impl("rms_norm_to", rms_norm_to);
}
TORCH_LIBRARY_IMPL(hearth, AutogradCUDA, m) {
  m.impl("swiglu", swiglu);
  m.impl("rope", rope);
  m.impl("rms_norm_to", rms_norm_to);
}
