// Everything of the border that is no operator: lifetime, data, autograd, generators, devices.
#include "border.h"

#include <ATen/Context.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <cstdlib>
#include <torch/version.h>
#ifdef HEARTH_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#endif

thread_local std::string last_error;
std::atomic<int64_t> live_handles{0};

HT_API int32_t ht_free(ht_tensor tensor) {
  return guarded([&] {
    require(tensor != nullptr, "ht_free: null");
    delete static_cast<at::Tensor*>(tensor);
    live_handles.fetch_sub(1, std::memory_order_relaxed);
  });
}

HT_API int32_t ht_free_list(ht_value* value) {
  return guarded([&] {
    require(value != nullptr && value->tag == HT_TENSORS, "ht_free_list: not a list of tensors");
    delete[] static_cast<ht_tensor*>(value->data);
    *value = ht_value{HT_NONE, 0, 0, nullptr};
  });
}

HT_API int32_t ht_live(int64_t* tensors) {
  return guarded([&] {
    require(tensors != nullptr, "ht_live: null");
    *tensors = live_handles.load(std::memory_order_relaxed);
  });
}

HT_API int32_t ht_from_data(const void* data, const int64_t* shape, int32_t dims, int32_t scalar_type, ht_tensor* tensor) {
  return guarded([&] {
    require(tensor && dims >= 0 && (shape || dims == 0), "ht_from_data: null or negative");
    require(scalar_type >= 0 && scalar_type < static_cast<int32_t>(at::ScalarType::NumOptions), "ht_from_data: unknown scalar type");
    for (int32_t i = 0; i < dims; i++) require(shape[i] >= 0, "ht_from_data: a negative size");
    auto made = at::empty(at::IntArrayRef(shape, static_cast<size_t>(dims)), at::TensorOptions().dtype(static_cast<at::ScalarType>(scalar_type)));
    require(data || made.numel() == 0, "ht_from_data: null data");
    if (made.numel() > 0) std::memcpy(made.data_ptr(), data, made.nbytes());
    *tensor = hand_out(std::move(made));
  });
}

HT_API int32_t ht_info(ht_tensor tensor, int32_t* scalar_type, int32_t* device, int32_t* dims, int64_t* shape, int32_t capacity, int64_t* bytes) {
  return guarded([&] {
    auto& t = tensor_of(tensor);
    require(scalar_type && device && dims && bytes && capacity >= 0 && (shape || capacity == 0), "ht_info: null or negative");
    *scalar_type = static_cast<int32_t>(t.scalar_type());
    *device = t.is_cuda() ? t.get_device() : -1;
    *dims = static_cast<int32_t>(t.dim());
    *bytes = static_cast<int64_t>(t.numel() * t.element_size());
    for (int32_t i = 0; i < std::min(capacity, *dims); i++) shape[i] = t.size(i);
  });
}

HT_API int32_t ht_data(ht_tensor tensor, void** data) {
  return guarded([&] {
    auto& t = tensor_of(tensor);
    require(data != nullptr, "ht_data: null");
    require(t.device().is_cpu() && t.is_contiguous(), "only the data of a contiguous CPU tensor can be read in place");
    *data = t.data_ptr();
  });
}

HT_API int32_t ht_requires_grad(ht_tensor tensor, int32_t set, int32_t* now) {
  return guarded([&] {
    auto& t = tensor_of(tensor);
    require(now && set >= -1 && set <= 1, "ht_requires_grad: null or not -1, 0, 1");
    if (set >= 0) t.requires_grad_(set == 1);
    *now = t.requires_grad() ? 1 : 0;
  });
}

HT_API int32_t ht_grad(ht_tensor tensor, int32_t set, ht_tensor value, ht_tensor* grad) {
  return guarded([&] {
    auto& t = tensor_of(tensor);
    require(grad != nullptr, "ht_grad: null");
    if (set != 0) t.mutable_grad() = value ? tensor_of(value) : at::Tensor();
    *grad = t.grad().defined() ? hand_out(t.grad()) : nullptr;
  });
}

HT_API int32_t ht_grad_mode(int32_t set, int32_t* before) {
  return guarded([&] {
    require(before && set >= -1 && set <= 1, "ht_grad_mode: null or not -1, 0, 1");
    *before = c10::GradMode::is_enabled() ? 1 : 0;
    if (set >= 0) c10::GradMode::set_enabled(set == 1);
  });
}

static at::Generator generator(int32_t device) {
  require(device >= -1, "a device index is below -1");
  if (device < 0) return at::detail::getDefaultCPUGenerator();
  return at::globalContext().defaultGenerator(at::Device(at::kCUDA, static_cast<at::DeviceIndex>(device)));
}

HT_API int32_t ht_rng_seed(int32_t device, uint64_t seed) {
  return guarded([&] {
    auto g = generator(device);
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_current_seed(seed);
  });
}

HT_API int32_t ht_rng_state(int32_t device, ht_tensor set, ht_tensor* state) {
  return guarded([&] {
    require(state != nullptr, "ht_rng_state: null");
    auto g = generator(device);
    std::lock_guard<std::mutex> lock(g.mutex());
    if (set) g.set_state(tensor_of(set));
    *state = hand_out(g.get_state());
  });
}

HT_API int32_t ht_threads(int32_t set, int32_t* now) {
  return guarded([&] {
    require(now && set >= 0, "ht_threads: null or negative");
    if (set > 0) at::set_num_threads(set);
    *now = at::get_num_threads();
  });
}

HT_API int32_t ht_deterministic(int32_t set, int32_t* now) {
  return guarded([&] {
    require(now && set >= -1 && set <= 1, "ht_deterministic: null or not -1, 0, 1");
#ifdef HEARTH_CUDA
    // cuBLAS repeats its bits only with workspaces of its own; it reads this before the first product.
    if (set == 1) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
#endif
    if (set >= 0) at::globalContext().setDeterministicAlgorithms(set == 1, /*warn_only=*/true);
#if defined(HEARTH_CUDA) && (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 2))
    // Else every new tensor is filled with NaN, so that reading one too early gives the same bits too: a pass over memory for nothing.
    at::globalContext().setDeterministicFillUninitializedMemory(false);
#endif
    *now = at::globalContext().deterministicAlgorithms() ? 1 : 0;
  });
}

HT_API int32_t ht_cuda_count(int32_t* devices) {
  return guarded([&] {
    require(devices != nullptr, "ht_cuda_count: null");
#ifdef HEARTH_CUDA
    *devices = static_cast<int32_t>(c10::cuda::device_count());
#else
    *devices = 0;
#endif
  });
}

HT_API int32_t ht_cuda_sync(int32_t device) {
  return guarded([&] {
    require(device >= 0, "ht_cuda_sync: negative");
#ifdef HEARTH_CUDA
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
    c10::cuda::device_synchronize();
#else
    throw std::runtime_error("this build of the binding has no CUDA");
#endif
  });
}

HT_API int32_t ht_memory(int32_t device, int32_t restart, int64_t* allocated, int64_t* peak) {
  return guarded([&] {
    require(allocated && peak && restart >= 0 && restart <= 1, "ht_memory: null or not 0, 1");
    require(device >= -1, "a device index is below -1");
    if (device < 0) return cpu_memory(restart == 1, allocated, peak);
#ifdef HEARTH_CUDA
    if (restart == 1) c10::cuda::CUDACachingAllocator::resetPeakStats(static_cast<c10::DeviceIndex>(device));
    auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device);
    *allocated = stats.allocated_bytes[0].current;
    *peak = stats.allocated_bytes[0].peak;
#else
    throw std::runtime_error("this build of the binding has no CUDA");
#endif
  });
}

#ifdef HEARTH_CUDA
namespace {

// A graph is captured on a stream of its own: the default one cannot be.
struct Captured {
  at::cuda::CUDAGraph graph;
  c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  c10::cuda::CUDAStream before = c10::cuda::getCurrentCUDAStream();
};

}  // namespace
#endif

HT_API int32_t ht_cuda_graph(int32_t action, int32_t device, void** graph) {
  return guarded([&] {
    require(graph && device >= 0 && action >= HT_GRAPH_BEGIN && action <= HT_GRAPH_FREE, "ht_cuda_graph: null, negative or no action");
    require(action == HT_GRAPH_BEGIN || *graph, "ht_cuda_graph: there is no graph yet");
#ifdef HEARTH_CUDA
    auto* captured = static_cast<Captured*>(*graph);
    switch (action) {
      case HT_GRAPH_BEGIN: {
        c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
        auto made = std::make_unique<Captured>();
        c10::cuda::device_synchronize();
        // The graph keeps memory of its own: what plain launches left in the allocator would lie idle beside it.
        c10::cuda::CUDACachingAllocator::emptyCache();
        c10::cuda::setCurrentCUDAStream(made->stream);
        try {
          // Relaxed: what other threads do meanwhile (a finaliser that frees, a snapshot) is none of the graph's business.
          made->graph.capture_begin({0, 0}, cudaStreamCaptureModeRelaxed);
        } catch (...) {
          c10::cuda::setCurrentCUDAStream(made->before);
          throw;
        }
        *graph = made.release();
        return;
      }
      case HT_GRAPH_END:
        try {
          captured->graph.capture_end();
        } catch (...) {
          c10::cuda::setCurrentCUDAStream(captured->before);
          throw;
        }
        c10::cuda::setCurrentCUDAStream(captured->before);
        return;
      case HT_GRAPH_REPLAY: captured->graph.replay(); return;
      default:
        c10::cuda::device_synchronize();
        delete captured;
        *graph = nullptr;
    }
#else
    throw std::runtime_error("this build of the binding has no CUDA");
#endif
  });
}

HT_API int32_t ht_version(const char** text) {
  return guarded([&] {
    require(text != nullptr, "ht_version: null");
    *text = TORCH_VERSION;
  });
}

HT_API int32_t ht_noop(void) { return HT_OK; }

HT_API const char* ht_last_error(void) { return last_error.c_str(); }
