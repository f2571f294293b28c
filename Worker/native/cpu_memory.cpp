// How many bytes tensors hold on the CPU, now and at most: an allocator that counts what libtorch's own gives and takes back.
// Sizes are malloc's, so that nothing has to be remembered beside the block itself.
#include "border.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <malloc.h>

namespace {

std::atomic<int64_t> held{0};
std::atomic<int64_t> most{0};

void give_back(void* data) {
  held.fetch_sub(static_cast<int64_t>(malloc_usable_size(data)), std::memory_order_relaxed);
  c10::free_cpu(data);
}

// libtorch 2.3 took the const from allocate and 2.2 added copy_data; what a version's base lacks overrides nothing.
struct CountingAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) { return take(bytes); }
  c10::DataPtr allocate(size_t bytes) const { return take(bytes); }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }

 private:
  static c10::DataPtr take(size_t bytes) {
    void* data = c10::alloc_cpu(bytes);
    auto size = static_cast<int64_t>(malloc_usable_size(data));
    auto now = held.fetch_add(size, std::memory_order_relaxed) + size;
    auto before = most.load(std::memory_order_relaxed);
    while (before < now && !most.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
    }
    return {data, data, &give_back, c10::Device(c10::kCPU)};
  }
};

// Blocks from before keep the deleter they came with. It lives for ever, as the one that it stands for does.
[[maybe_unused]] const bool installed = [] {
  c10::SetCPUAllocator(new CountingAllocator, /*priority=*/1);
  return true;
}();

}  // namespace

void cpu_memory(bool restart, int64_t* allocated, int64_t* peak) {
  *allocated = held.load(std::memory_order_relaxed);
  if (restart) most.store(*allocated, std::memory_order_relaxed);
  *peak = most.load(std::memory_order_relaxed);
}
