#include "jit.h"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/Exception.h>

#include <dlfcn.h>
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

// What is used of the driver and of NVRTC, found at run time: neither is linked, so the binding loads on any machine.
struct Api {
  CUresult (*get_error_string)(CUresult, const char**);
  CUresult (*module_load_data)(CUmodule*, const void*);
  CUresult (*module_get_function)(CUfunction*, CUmodule, const char*);
  CUresult (*launch_kernel)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**, void**);
  int (*create_program)(void**, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile_program)(void*, int, const char* const*);
  int (*destroy_program)(void**);
  int (*log_size)(void*, size_t*);
  int (*log)(void*, char*);
  int (*ptx_size)(void*, size_t*);
  int (*ptx)(void*, char*);
};

template <class F>
void symbol(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  TORCH_CHECK(function, name, " was not found: ", dlerror());
}

// The toolkit's library where there is one, else the one that came with PyTorch's wheels beside libtorch_cuda.
void* open_nvrtc() {
  std::vector<std::string> names = {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"};
  Dl_info torch;
  if (dladdr(reinterpret_cast<void*>(&c10::cuda::current_device), &torch) && torch.dli_fname) {
    std::error_code failed;
    auto packages = fs::path(torch.dli_fname).parent_path().parent_path().parent_path();
    for (fs::directory_iterator part(packages / "nvidia", failed), end; !failed && part != end; part.increment(failed)) {
      std::error_code none;
      for (fs::directory_iterator file(part->path() / "lib", none), last; !none && file != last; file.increment(none))
        if (file->path().filename().string().rfind("libnvrtc.so", 0) == 0) names.push_back(file->path().string());
    }
  }
  names.push_back("/usr/local/cuda/lib64/libnvrtc.so");
  for (auto& name : names)
    if (auto library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  TORCH_CHECK(false, "no libnvrtc was found. It comes with PyTorch's CUDA wheels and with the CUDA toolkit.");
}

const Api& api() {
  static const Api found = [] {
    Api a;
    auto driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    TORCH_CHECK(driver, "libcuda.so.1 was not found: ", dlerror());
    symbol(driver, "cuGetErrorString", a.get_error_string);
    symbol(driver, "cuModuleLoadData", a.module_load_data);
    symbol(driver, "cuModuleGetFunction", a.module_get_function);
    symbol(driver, "cuLaunchKernel", a.launch_kernel);
    auto nvrtc = open_nvrtc();
    symbol(nvrtc, "nvrtcCreateProgram", a.create_program);
    symbol(nvrtc, "nvrtcCompileProgram", a.compile_program);
    symbol(nvrtc, "nvrtcDestroyProgram", a.destroy_program);
    symbol(nvrtc, "nvrtcGetProgramLogSize", a.log_size);
    symbol(nvrtc, "nvrtcGetProgramLog", a.log);
    symbol(nvrtc, "nvrtcGetPTXSize", a.ptx_size);
    symbol(nvrtc, "nvrtcGetPTX", a.ptx);
    return a;
  }();
  return found;
}

void check(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return;
  const char* text = "unknown";
  api().get_error_string(result, &text);
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
// Sixteen bytes of a row at once.
template <class E> struct alignas(16) Pack { E at[16 / sizeof(E)]; };
template <class S> __device__ __forceinline__ S warp_sum(S x) { for (int o = 16; o; o >>= 1) x += __shfl_xor_sync(~0u, x, o); return x; }
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
  auto& a = api();
  void* program = nullptr;
  TORCH_CHECK(a.create_program(&program, text.c_str(), "hearth.cu", 0, nullptr, nullptr) == 0, "NVRTC makes no program");
  const char* options[] = {arch.c_str(), "--std=c++17", "--fmad=true"};
  size_t size = 0;
  if (a.compile_program(program, 3, options) != 0) {
    a.log_size(program, &size);
    std::string log(size, '\0');
    a.log(program, &log[0]);
    a.destroy_program(&program);
    TORCH_CHECK(false, "a kernel does not compile for ", arch, ":\n", log);
  }
  TORCH_CHECK(a.ptx_size(program, &size) == 0, "NVRTC gives no code");
  std::string code(size, '\0');
  TORCH_CHECK(a.ptx(program, &code[0]) == 0, "NVRTC gives no code");
  a.destroy_program(&program);
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

CUfunction find(const Kernel& kernel, const std::string& head) {
  using Key = std::tuple<int, const char*, std::string>;
  static std::mutex gate;
  static std::map<Key, CUmodule> modules;
  static std::map<std::tuple<CUmodule, std::string>, CUfunction> functions;
  std::lock_guard<std::mutex> lock(gate);
  int device = c10::cuda::current_device();
  auto& module = modules[Key(device, kernel.source, head)];
  if (!module) {
    auto properties = at::cuda::getCurrentDeviceProperties();
    auto arch = "--gpu-architecture=compute_" + std::to_string(properties->major) + std::to_string(properties->minor);
    auto code = cached(std::string(prelude) + head + kernel.source, arch);
    check(api().module_load_data(&module, code.c_str()), "a compiled kernel cannot be loaded");
  }
  auto& function = functions[{module, kernel.name}];
  if (!function) check(api().module_get_function(&function, module, kernel.name), kernel.name);
  return function;
}

}  // namespace

void launch(const Kernel& kernel, const std::string& head, int64_t blocks, int threads, std::vector<void*> arguments) {
  if (blocks == 0) return;
  TORCH_CHECK(blocks <= INT32_MAX, kernel.name, ": too many blocks");
  auto function = find(kernel, head);
  check(api().launch_kernel(function, static_cast<unsigned>(blocks), 1, 1, threads, 1, 1, 0, at::cuda::getCurrentCUDAStream(), arguments.data(), nullptr), kernel.name);
}

}  // namespace hearth
