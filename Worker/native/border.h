// What every file behind the border shares: the guard around each function, and how tensors become handles.
#pragma once
#include "hearth_torch.h"

#include <ATen/ATen.h>

#include <atomic>
#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

extern thread_local std::string last_error;
extern std::atomic<int64_t> live_handles;

// Bytes that tensors hold on the CPU, and the most since the peak was last restarted.
void cpu_memory(bool restart, int64_t* allocated, int64_t* peak);

template <class Body>
int32_t guarded(Body&& body) noexcept {
  try {
    body();
    return HT_OK;
  } catch (const c10::Error& e) {
    last_error = e.what_without_backtrace();
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (...) {
    last_error = "an unknown native exception";
  }
  return HT_ERROR;
}

inline void require(bool holds, const std::string& text) {
  if (!holds) throw std::invalid_argument(text);
}

inline at::Tensor& tensor_of(ht_tensor handle) {
  require(handle != nullptr, "a tensor handle is null");
  return *static_cast<at::Tensor*>(handle);
}

inline ht_tensor hand_out(at::Tensor tensor) {
  auto* handle = new at::Tensor(std::move(tensor));
  live_handles.fetch_add(1, std::memory_order_relaxed);
  return handle;
}
