#include "jit.h"

#include <ATen/Context.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/nvrtc_stub/ATenNVRTC.h>
#include <c10/util/Exception.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <tuple>

namespace hearth {
namespace {

namespace fs = std::filesystem;

const at::cuda::NVRTC& api() { return at::globalContext().getNVRTC(); }

void check(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return;
  const char* text = "unknown";
  api().cuGetErrorString(result, &text);
  TORCH_CHECK(false, what, ": ", text);
}

// What every source may use. bf16 is converted by hand: its header would need a toolkit.
const char* prelude = R"(
typedef long long i64;
struct bf16 { unsigned short bits; };
__device__ __forceinline__ float load(float x) { return x; }
__device__ __forceinline__ float load(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }
__device__ __forceinline__ void store(float* p, float x) { *p = x; }
__device__ __forceinline__ void store(bf16* p, float x) {
  unsigned u = __float_as_uint(x);
  p->bits = (unsigned short)(x != x ? 0x7fc0 : (u + 0x7fff + ((u >> 16) & 1)) >> 16);
}
__device__ __forceinline__ float warp_sum(float x) { for (int o = 16; o; o >>= 1) x += __shfl_xor_sync(~0u, x, o); return x; }
__device__ __forceinline__ float warp_max(float x) { for (int o = 16; o; o >>= 1) x = fmaxf(x, __shfl_xor_sync(~0u, x, o)); return x; }
// Over the whole block; every thread gets the result. 32 floats of shared memory, which the caller may reuse after it.
__device__ __forceinline__ float block_sum(float x, float* shared) {
  x = warp_sum(x);
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  float y = threadIdx.x % 32 < (blockDim.x + 31) / 32 ? shared[threadIdx.x % 32] : 0.f;
  return warp_sum(y);
}
__device__ __forceinline__ float block_max(float x, float* shared) {
  x = warp_max(x);
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  float y = threadIdx.x % 32 < (blockDim.x + 31) / 32 ? shared[threadIdx.x % 32] : -__int_as_float(0x7f800000);
  return warp_max(y);
}
)";

fs::path cache_folder() {
  if (auto given = std::getenv("HEARTH_KERNEL_CACHE")) return given;
  if (auto home = std::getenv("XDG_CACHE_HOME")) return fs::path(home) / "hearth" / "kernels";
  if (auto home = std::getenv("HOME")) return fs::path(home) / ".cache" / "hearth" / "kernels";
  return fs::temp_directory_path() / "hearth-kernels";
}

// FNV-1a: a name for a file, not a seal. The text itself is stored in front of the code and compared.
std::string digest(const std::string& text) {
  uint64_t hash = 1469598103934665603ull;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  std::ostringstream name;
  name << std::hex << hash;
  return name.str();
}

std::string compile(const std::string& text, const std::string& arch) {
  nvrtcProgram program;
  TORCH_CHECK(api().nvrtcCreateProgram(&program, text.c_str(), "hearth.cu", 0, nullptr, nullptr) == NVRTC_SUCCESS, "NVRTC makes no program");
  const char* options[] = {arch.c_str(), "--std=c++17", "--fmad=true"};
  if (api().nvrtcCompileProgram(program, 3, options) != NVRTC_SUCCESS) {
    size_t size = 0;
    api().nvrtcGetProgramLogSize(program, &size);
    std::string log(size, '\0');
    api().nvrtcGetProgramLog(program, &log[0]);
    api().nvrtcDestroyProgram(&program);
    TORCH_CHECK(false, "a kernel does not compile for ", arch, ":\n", log);
  }
  size_t size = 0;
  TORCH_CHECK(api().nvrtcGetPTXSize(program, &size) == NVRTC_SUCCESS, "NVRTC gives no code");
  std::string code(size, '\0');
  TORCH_CHECK(api().nvrtcGetPTX(program, &code[0]) == NVRTC_SUCCESS, "NVRTC gives no code");
  api().nvrtcDestroyProgram(&program);
  return code;
}

// The cache is a help, never a need: whatever goes wrong with the disk, the kernel is compiled anew.
std::string cached(const std::string& text, const std::string& arch) {
  const std::string head = text + "\n//" + arch + "\n";
  std::error_code failed;
  auto path = cache_folder() / (digest(head) + ".ptx");
  {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream whole;
    if (file && whole << file.rdbuf()) {
      auto content = whole.str();
      if (content.size() > head.size() && content.compare(0, head.size(), head) == 0) return content.substr(head.size());
    }
  }
  auto code = compile(text, arch);
  fs::create_directories(path.parent_path(), failed);
  auto part = path;
  part += "." + std::to_string(getpid());
  std::ofstream file(part, std::ios::binary);
  if (!failed && file && file << head << code && file.flush()) {
    file.close();
    fs::rename(part, path, failed);
  }
  if (failed) fs::remove(part, failed);
  return code;
}

CUfunction find(const Kernel& kernel, const std::string& type) {
  using Key = std::tuple<int, const char*, std::string>;
  static std::mutex gate;
  static std::map<Key, CUmodule> modules;
  static std::map<std::tuple<CUmodule, std::string>, CUfunction> functions;
  std::lock_guard<std::mutex> lock(gate);
  int device = at::cuda::current_device();
  auto& module = modules[Key(device, kernel.source, type)];
  if (!module) {
    auto properties = at::cuda::getCurrentDeviceProperties();
    auto arch = "--gpu-architecture=compute_" + std::to_string(properties->major) + std::to_string(properties->minor);
    auto code = cached(std::string(prelude) + "typedef " + type + " T;\n" + kernel.source, arch);
    check(api().cuModuleLoadData(&module, code.c_str()), "a compiled kernel cannot be loaded");
  }
  auto& function = functions[{module, kernel.name}];
  if (!function) check(api().cuModuleGetFunction(&function, module, kernel.name), kernel.name);
  return function;
}

}  // namespace

void launch(const Kernel& kernel, const std::string& type, int64_t blocks, int threads, std::vector<void*> arguments) {
  if (blocks == 0) return;
  TORCH_CHECK(blocks <= INT32_MAX, kernel.name, ": too many blocks");
  auto function = find(kernel, type);
  check(api().cuLaunchKernel(function, static_cast<unsigned>(blocks), 1, 1, threads, 1, 1, 0, at::cuda::getCurrentCUDAStream(), arguments.data(), nullptr), kernel.name);
}

}  // namespace hearth
