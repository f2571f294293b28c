// What the CPU's and the card's form of hearth::adamw8_ share: the lists of one call, checked, and the numbers of one step.
#pragma once
#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace hearth {

constexpr int64_t kMomentBlock = 256;  // neighbouring elements that share one scale
constexpr int64_t kMomentCodes = 256;

struct Adam8Lists {
  at::TensorList weights, grads, first_codes, first_scales, second_codes, second_scales;
  at::TensorList maps;    // values and middles of the first moment's map, then of the second's
  at::IntArrayRef keys;   // of each tensor's random numbers in this step; read where weights are rounded
};

// T is the type of the arithmetic. `couple` adds couple * w to the scaled gradient.
template <class T>
struct Adam8Rule {
  T lr, b1, b2, new1, new2, eps, keep, couple, c1, c2, scale, limit;
};

template <class T>
Adam8Rule<T> adam8_rule(double lr, double beta1, double beta2, double eps, double weight_decay, double couple, int64_t step, double scale, double limit) {
  auto correction = [&](double beta) { return T(1 - std::pow(beta, static_cast<double>(step))); };
  return {T(lr), T(beta1), T(beta2), T(1 - beta1), T(1 - beta2), T(eps), T(1 - lr * weight_decay), T(couple), correction(beta1), correction(beta2), T(scale), T(limit)};
}

// Throws where lists differ in length, a tensor is not contiguous, or codes, scales or maps do not belong to their weight.
void check_adam8(const Adam8Lists& lists, int64_t step);

}  // namespace hearth
