// hearth::adamw8_ on CUDA: one launch over all blocks of all tensors, which a table in the card's memory lists. The naive form in C# and
// the CPU's kernel say what it computes.
#include "../ops/adamw8.h"
#include "jit.h"

#include <c10/cuda/CUDAGuard.h>
#include <torch/library.h>

#include <algorithm>
#include <string>

namespace {

using namespace hearth;

const char* source =
#include "moments.cu"
    ;

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 132 * 8;

// As the kernel reads it.
struct Entry {
  void* weight;
  void* grad;
  void* codes1;
  void* scales1;
  void* codes2;
  void* scales2;
  int64_t count, first, key;
};

void adamw8_cuda_(at::TensorList weights, at::TensorList grads, at::TensorList first_codes, at::TensorList first_scales, at::TensorList second_codes,
                  at::TensorList second_scales, at::TensorList maps, at::IntArrayRef keys, double lr, double beta1, double beta2, double eps,
                  double weight_decay, double couple, int64_t step, double scale, double limit) {
  const Adam8Lists l{weights, grads, first_codes, first_scales, second_codes, second_scales, maps, keys};
  check_adam8(l, step);
  if (weights.empty()) return;
  const auto type = weights[0].scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16, "adamw8_ on CUDA: weights are float32 or bfloat16, not ", type);
  for (auto& map : maps) TORCH_CHECK(map.scalar_type() == at::kFloat && map.is_cuda(), "adamw8_ on CUDA: the maps are float32 there");
  c10::cuda::CUDAGuard on(weights[0].device());

  std::vector<at::Tensor> kept;  // gradients that had to be copied, until the launch is queued
  constexpr int64_t kFields = sizeof(Entry) / sizeof(int64_t);
  auto host = at::empty({static_cast<int64_t>(weights.size()), kFields}, at::kLong);
  auto* entries = static_cast<Entry*>(host.data_ptr());
  int64_t blocks = 0;
  for (size_t i = 0; i < weights.size(); i++) {
    TORCH_CHECK(weights[i].scalar_type() == type && weights[i].device() == weights[0].device(), "adamw8_: weights of several types or devices in one call");
    kept.push_back(grads[i].contiguous());
    entries[i] = {weights[i].data_ptr(), kept.back().data_ptr(), first_codes[i].data_ptr(), first_scales[i].data_ptr(), second_codes[i].data_ptr(),
                  second_scales[i].data_ptr(), weights[i].numel(), blocks, keys[i]};
    blocks += (weights[i].numel() + kMomentBlock - 1) / kMomentBlock;
  }
  const auto table = host.to(weights[0].device());
  auto rule = adam8_rule<float>(lr, beta1, beta2, eps, weight_decay, couple, step, scale, limit);
  rule.c1 = 1 / rule.c1;
  rule.c2 = 1 / rule.c2;
  void *entries_p = table.data_ptr(), *values1 = maps[0].data_ptr(), *middles1 = maps[1].data_ptr(), *values2 = maps[2].data_ptr(), *middles2 = maps[3].data_ptr();
  int tensors = static_cast<int>(weights.size());
  const std::string head = type == at::kFloat ? "typedef float W;\n" : "typedef bf16 W;\n";
  launch({source, "adamw8"}, head, std::min((blocks + kThreads / 32 - 1) / (kThreads / 32), kMostBlocks), kThreads,
         {&entries_p, &tensors, &blocks, &values1, &middles1, &values2, &middles2, &rule});
}

}  // namespace

TORCH_LIBRARY_IMPL(hearth, CUDA, m) { m.impl("adamw8_", adamw8_cuda_); }
