// hearth::kuramoto: the Euler steps of one layer's oscillators, B batch, T time, N oscillators, R rings. Keeps only what goes in and runs
// the steps again in the backward pass: a step's dozen intermediates of [B,T,N] never outlive it. Its naive twin in plain operators is
// QuazimotoBlock.NaiveIntegrate, which says what each line means.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>
#include <tuple>
#include <vector>

namespace {

using at::Tensor;
using c10::optional;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Inputs {
  Tensor theta, omega, injection, gain, alpha, center_phase, center_omega, center_gain, decode;  // injection, decode may be undefined
};

// What the controllers carry from step to step and layer to layer; undefined before the first and second observation.
struct Trace {
  Tensor last, fast;
};

Tensor observe(const Inputs& in, Trace& trace, const Tensor& re, const Tensor& im, const Tensor& frequency) {
  Tensor seen;
  {
    at::NoGradGuard quiet;
    auto length = (re.square() + im.square()).sqrt().clamp_min(1e-6);
    auto now = at::stack({length, re / length, im / length, frequency}, -1);
    auto error = at::zeros_like(now);
    if (trace.last.defined()) {
      error = trace.fast.defined() ? now - (trace.fast * trace.last.unsqueeze(-2)).sum(-1) : now;
      auto step = error.unsqueeze(-1) * (trace.last / (trace.last.square().sum(-1, true) + 1e-3)).unsqueeze(-2) * 0.5;
      trace.fast = trace.fast.defined() ? trace.fast + step : step;
    }
    trace.last = now;
    seen = at::cat({now, error}, -1);
  }
  auto b = seen.size(0), t = seen.size(1), r = seen.size(2);
  auto rows = seen.reshape({b * t, r, seen.size(3)}).transpose(0, 1);
  return rows.bmm(in.decode.transpose(1, 2)).transpose(0, 1).reshape({b, t, r, in.decode.size(1)}).tanh();
}

Tensor integrate(const Inputs& in, Trace& trace, const Tensor& means, const Tensor& spread, int64_t steps, double dt) {
  auto theta = in.theta;
  auto frequency = in.decode.defined() ? in.omega.detach().matmul(means) : Tensor();
  for (int64_t s = 0; s < steps; s++) {
    auto cos = theta.cos(), sin = theta.sin();
    auto re = cos.matmul(means), im = sin.matmul(means);
    auto field_re = re.matmul(in.gain.t()), field_im = im.matmul(in.gain.t());
    auto alpha = in.alpha, center_gain = in.center_gain;
    Tensor tuned;
    if (in.decode.defined()) {
      tuned = observe(in, trace, re, im, frequency);
      auto row = tuned.select(-1, 0) + 1;
      field_re = field_re * row;
      field_im = field_im * row;
      alpha = tuned.select(-1, 1) * (M_PI / 4) + alpha;
      center_gain = (tuned.select(-1, 2) + 1) * center_gain;
    }
    auto cos_a = alpha.cos(), sin_a = alpha.sin();
    auto center = in.center_phase + in.center_omega * (s * dt);
    auto drive_re = field_re * cos_a + field_im * sin_a + center_gain * center.cos();
    auto drive_im = field_im * cos_a - field_re * sin_a + center_gain * center.sin();
    auto speed = in.omega + (drive_im.matmul(spread) * cos - drive_re.matmul(spread) * sin);
    if (in.injection.defined()) speed = speed + (tuned.defined() ? in.injection * (tuned.select(-1, 3) + 1).matmul(spread) : in.injection);
    theta = theta + speed * dt;
  }
  return theta;
}

Tensor given(const optional<Tensor>& tensor) { return tensor.has_value() ? *tensor : Tensor(); }

struct Kuramoto : torch::autograd::Function<Kuramoto> {
  static variable_list forward(AutogradContext* ctx, const Tensor& theta, const Tensor& omega, const optional<Tensor>& injection, const Tensor& gain,
                               const Tensor& alpha, const Tensor& center_phase, const Tensor& center_omega, const Tensor& center_gain,
                               const optional<Tensor>& decode, const optional<Tensor>& last, const optional<Tensor>& fast, const Tensor& means,
                               const Tensor& spread, int64_t steps, double dt) {
    Inputs in{theta, omega, given(injection), gain, alpha, center_phase, center_omega, center_gain, given(decode)};
    Trace trace{given(last), given(fast)};
    auto result = integrate(in, trace, means, spread, steps, dt);
    ctx->save_for_backward({in.theta, in.omega, in.injection, in.gain, in.alpha, in.center_phase, in.center_omega, in.center_gain, in.decode,
                            given(last), given(fast), means, spread});
    ctx->saved_data["steps"] = steps;
    ctx->saved_data["dt"] = dt;
    if (!in.decode.defined()) return {result};
    variable_list all{result, trace.last, trace.fast.defined() ? trace.fast : at::zeros({0}, trace.last.options())};
    ctx->mark_non_differentiable({all[1], all[2]});
    return all;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const size_t count = 9;
    variable_list leaves, wanted;
    for (size_t i = 0; i < count; i++) {
      leaves.push_back(saved[i].defined() ? saved[i].detach() : Tensor());
      if (saved[i].defined() && saved[i].requires_grad()) wanted.push_back(leaves[i].requires_grad_());
    }
    variable_list found;
    {
      at::AutoGradMode record(true);
      Inputs in{leaves[0], leaves[1], leaves[2], leaves[3], leaves[4], leaves[5], leaves[6], leaves[7], leaves[8]};
      Trace trace{saved[9], saved[10]};
      auto theta = integrate(in, trace, saved[11], saved[12], ctx->saved_data["steps"].toInt(), ctx->saved_data["dt"].toDouble());
      found = torch::autograd::grad({theta}, wanted, {grads[0]}, c10::nullopt, false, true);
    }
    variable_list all(15);
    for (size_t i = 0, next = 0; i < count; i++)
      if (leaves[i].defined() && leaves[i].requires_grad()) all[i] = found[next++];
    return all;
  }
};

std::vector<Tensor> kuramoto(const Tensor& theta, const Tensor& omega, const optional<Tensor>& injection, const Tensor& gain, const Tensor& alpha,
                             const Tensor& center_phase, const Tensor& center_omega, const Tensor& center_gain, const optional<Tensor>& decode,
                             const optional<Tensor>& last, const optional<Tensor>& fast, const Tensor& means, const Tensor& spread, int64_t steps,
                             double dt) {
  TORCH_CHECK(theta.sizes() == omega.sizes() && theta.size(-1) == spread.size(1), "kuramoto: phases, frequencies and rings differ in size");
  return Kuramoto::apply(theta, omega, injection, gain, alpha, center_phase, center_omega, center_gain, decode, last, fast, means, spread, steps, dt);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hearth, m) {
  m.def("kuramoto(Tensor theta, Tensor omega, Tensor? injection, Tensor gain, Tensor alpha, Tensor center_phase, Tensor center_omega, Tensor center_gain, Tensor? decode, Tensor? last, Tensor? fast, Tensor means, Tensor spread, int steps, float dt) -> Tensor[]");
}
TORCH_LIBRARY_IMPL(hearth, CompositeImplicitAutograd, m) { m.impl("kuramoto", kuramoto); }
