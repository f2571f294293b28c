// CUDA kernels as text: compiled with NVRTC for the present card at their first use and kept on disk, so that a worker needs a
// driver and a libtorch but no CUDA toolkit.
#pragma once
#include <cuda.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hearth {

// A kernel of one source.
struct Kernel {
  const char* source;
  const char* name;
};

// Launches on the current stream of the current device. `head` goes before the source: the types and sizes that it leaves open.
// Throws with NVRTC's own words when that does not compile.
void launch(const Kernel& kernel, const std::string& head, int64_t blocks, int threads, std::vector<void*> arguments);

}  // namespace hearth
