// The scans' loops for x86-64 with AVX2 and fused multiply-add; build.sh compiles this file with both.
#if defined(__x86_64__)
#define HEARTH_VECTOR_BYTES 32
#include "scan_loops.h"

template <class T>
ScanLoops<T> avx2_scans(int64_t width) {
  return loops_for<T>(width);
}
template ScanLoops<float> avx2_scans(int64_t width);
template ScanLoops<double> avx2_scans(int64_t width);
#endif
