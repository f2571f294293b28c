// The scans' loops for any processor.
#define HEARTH_VECTOR_BYTES 16
#include "scan_loops.h"

template <class T>
ScanLoops<T> plain_scans(int64_t width) {
  return loops_for<T>(width);
}
template ScanLoops<float> plain_scans(int64_t width);
template ScanLoops<double> plain_scans(int64_t width);
