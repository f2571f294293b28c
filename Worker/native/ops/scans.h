// What the operators of the scans and their loops share. The loops (scan_loops.h) are compiled twice, for any processor and for
// one with AVX2; nothing here but plain data, so that neither build leaks into the other.
#pragma once
#include <cstdint>

// One (row, head) is one job. Pointers are to whole tensors; a head's rows are `heads * width` apart.
template <class T>
struct DeltaJob {
  int64_t time, heads, every;                        // `every`: steps between kept states
  const T *r, *k, *v, *alpha, *beta, *w;             // [B,T,H,N]; w is e^(log w)
  const T* s0;                                       // [B,H,N,N], rows = key index
  T *y, *s_end, *kept;                               // kept [B,H,ceil(T/every),N,N], null = keep nothing
  const T *dy, *ds_end;                              // backward only; either may be null
  T *dr, *dk, *dv, *dalpha, *dbeta, *dlog_w, *ds0;
};

template <class T>
struct SsdJob {
  int64_t time, heads, states, every;
  const T *x, *a, *b, *c;                            // x [B,T,H,P]; a [B,T,H] is e^(log a); b, c [B,T,N]
  const T* h0;                                       // [B,H,P,N]
  T *y, *h_end, *kept;                               // kept [B,H,ceil(T/every),N,P]
  const T *dy, *dh_end;
  T *dx, *dlog_a, *db, *dc, *dh0;                    // db, dc [B,T,H,N]: one part per head
};

// Loops for one width of a head (N of the delta rule, P of SSD); null where the width has none.
// `scratch` has room for (every + 2) states and every + 1 rows.
template <class T>
struct ScanLoops {
  void (*delta_forward)(const DeltaJob<T>&, int64_t job, T* scratch);
  void (*delta_backward)(const DeltaJob<T>&, int64_t job, T* scratch);
  void (*ssd_forward)(const SsdJob<T>&, int64_t job, T* scratch);
  void (*ssd_backward)(const SsdJob<T>&, int64_t job, T* scratch);
};

template <class T>
ScanLoops<T> plain_scans(int64_t width);
template <class T>
ScanLoops<T> avx2_scans(int64_t width);

// The fastest loops that this processor runs.
template <class T>
ScanLoops<T> scan_loops(int64_t width) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2_scans<T>(width);
#endif
  return plain_scans<T>(width);
}
