// The loops of both scans: the recurrence with its state in the first cache level. Backward runs blocks of `every` steps from the
// last to the first, each from its kept state: the block's states are computed again, then gone through in reverse.
// Included once per instruction set; everything is local to the file that includes it.
#include "scans.h"

#include <cstring>

namespace {

template <class T, int Width>
struct Head {
  static constexpr int lanes = HEARTH_VECTOR_BYTES / sizeof(T), count = Width / lanes;
  typedef T Vec __attribute__((vector_size(HEARTH_VECTOR_BYTES)));

  static Vec load(const T* from) {
    Vec v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static void store(T* to, Vec v) { std::memcpy(to, &v, sizeof v); }
  static void load_row(Vec (&row)[count], const T* from) {
    for (int j = 0; j < count; j++) row[j] = load(from + j * lanes);
  }
  static void store_row(T* to, const Vec (&row)[count]) {
    for (int j = 0; j < count; j++) store(to + j * lanes, row[j]);
  }
  static T sum(Vec v) {
    T total = 0;
    for (int i = 0; i < lanes; i++) total += v[i];
    return total;
  }
};

// S <- diag(w) S + beta u^T + k v^T with u = S^T alpha; `u` gets u, `y` S^T r where it is wanted. `from` and `to` may be one.
template <class T, int N>
void delta_step(const T* from, T* to, const DeltaJob<T>& job, int64_t at, T* u, T* y) {
  using H = Head<T, N>;
  using Vec = typename H::Vec;
  Vec pulled[H::count] = {}, out[H::count] = {}, value[H::count];
  H::load_row(value, job.v + at);
  for (int n = 0; n < N; n++) {
    T alpha = job.alpha[at + n];
    for (int j = 0; j < H::count; j++) pulled[j] += H::load(from + n * N + j * H::lanes) * alpha;
  }
  for (int n = 0; n < N; n++) {
    T w = job.w[at + n], beta = job.beta[at + n], k = job.k[at + n], r = job.r[at + n];
    for (int j = 0; j < H::count; j++) {
      Vec s = H::load(from + n * N + j * H::lanes) * w + pulled[j] * beta + value[j] * k;
      H::store(to + n * N + j * H::lanes, s);
      out[j] += s * r;
    }
  }
  if (u != nullptr) H::store_row(u, pulled);
  if (y != nullptr) H::store_row(y, out);
}

template <class T, int N>
void delta_forward(const DeltaJob<T>& job, int64_t index, T* scratch) {
  const int64_t stride = job.heads * N, first = (index / job.heads * job.time * job.heads + index % job.heads) * N;
  const int64_t blocks = (job.time + job.every - 1) / job.every;
  T* s = scratch;
  std::memcpy(s, job.s0 + index * N * N, sizeof(T) * N * N);
  for (int64_t t = 0; t < job.time; t++) {
    if (job.kept != nullptr && t % job.every == 0) {
      std::memcpy(job.kept + (index * blocks + t / job.every) * N * N, s, sizeof(T) * N * N);
    }
    const int64_t at = first + t * stride;
    delta_step<T, N>(s, s, job, at, nullptr, job.y + at);
  }
  std::memcpy(job.s_end + index * N * N, s, sizeof(T) * N * N);
}

// One step back: `before` and `after` are the states around step t, `d` the gradient of `after` on entry, of `before` on return.
template <class T, int N>
void delta_step_back(const T* before, const T* after, T* d, const DeltaJob<T>& job, int64_t at, const T* u) {
  using H = Head<T, N>;
  using Vec = typename H::Vec;
  Vec dy[H::count] = {}, value[H::count], pulled[H::count], dv[H::count] = {}, du[H::count] = {};
  if (job.dy != nullptr) H::load_row(dy, job.dy + at);
  H::load_row(value, job.v + at);
  H::load_row(pulled, u);
  for (int n = 0; n < N; n++) {
    T r = job.r[at + n], beta = job.beta[at + n], k = job.k[at + n];
    Vec sum_r = {}, sum_k = {}, sum_beta = {}, sum_w = {};
    for (int j = 0; j < H::count; j++) {
      const int i = n * N + j * H::lanes;
      Vec g = H::load(d + i) + dy[j] * r;
      H::store(d + i, g);
      sum_r += H::load(after + i) * dy[j];
      sum_k += g * value[j];
      sum_beta += g * pulled[j];
      sum_w += g * H::load(before + i);
      du[j] += g * beta;
      dv[j] += g * k;
    }
    job.dr[at + n] = H::sum(sum_r);
    job.dk[at + n] = H::sum(sum_k);
    job.dbeta[at + n] = H::sum(sum_beta);
    job.dlog_w[at + n] = H::sum(sum_w) * job.w[at + n];
  }
  H::store_row(job.dv + at, dv);
  for (int n = 0; n < N; n++) {
    T w = job.w[at + n], alpha = job.alpha[at + n];
    Vec sum_alpha = {};
    for (int j = 0; j < H::count; j++) {
      const int i = n * N + j * H::lanes;
      sum_alpha += H::load(before + i) * du[j];
      H::store(d + i, H::load(d + i) * w + du[j] * alpha);
    }
    job.dalpha[at + n] = H::sum(sum_alpha);
  }
}

template <class T, int N>
void delta_backward(const DeltaJob<T>& job, int64_t index, T* scratch) {
  const int64_t stride = job.heads * N, first = (index / job.heads * job.time * job.heads + index % job.heads) * N;
  const int64_t blocks = (job.time + job.every - 1) / job.every, size = N * N;
  T *d = scratch, *states = d + size, *u = states + (job.every + 1) * size;
  if (job.ds_end != nullptr) {
    std::memcpy(d, job.ds_end + index * size, sizeof(T) * size);
  } else {
    std::memset(d, 0, sizeof(T) * size);
  }
  for (int64_t block = blocks - 1; block >= 0; block--) {
    const int64_t begin = block * job.every, end = begin + job.every < job.time ? begin + job.every : job.time;
    std::memcpy(states, job.kept + (index * blocks + block) * size, sizeof(T) * size);
    for (int64_t t = begin; t < end; t++) {
      T* before = states + (t - begin) * size;
      delta_step<T, N>(before, before + size, job, first + t * stride, u + (t - begin) * N, nullptr);
    }
    for (int64_t t = end - 1; t >= begin; t--) {
      const T* before = states + (t - begin) * size;
      delta_step_back<T, N>(before, before + size, d, job, first + t * stride, u + (t - begin) * N);
    }
  }
  std::memcpy(job.ds0 + index * size, d, sizeof(T) * size);
}

// The state lies as [N,P] here, so that rows of x are added whole: h <- a h + b x^T, y = h^T c.
template <class T, int P>
void ssd_step(const T* from, T* to, const SsdJob<T>& job, int64_t row, int64_t head, int64_t batch_row, T* y) {
  using H = Head<T, P>;
  using Vec = typename H::Vec;
  Vec x[H::count], out[H::count] = {};
  H::load_row(x, job.x + (row + head) * P);
  const T a = job.a[row + head], *b = job.b + batch_row * job.states, *c = job.c + batch_row * job.states;
  for (int64_t n = 0; n < job.states; n++) {
    for (int j = 0; j < H::count; j++) {
      Vec h = H::load(from + n * P + j * H::lanes) * a + x[j] * b[n];
      H::store(to + n * P + j * H::lanes, h);
      out[j] += h * c[n];
    }
  }
  if (y != nullptr) H::store_row(y, out);
}

template <class T, int P>
void transpose_in(T* to_NP, const T* from_PN, int64_t states) {
  for (int64_t n = 0; n < states; n++) {
    for (int64_t p = 0; p < P; p++) to_NP[n * P + p] = from_PN[p * states + n];
  }
}

template <class T, int P>
void transpose_out(T* to_PN, const T* from_NP, int64_t states) {
  for (int64_t p = 0; p < P; p++) {
    for (int64_t n = 0; n < states; n++) to_PN[p * states + n] = from_NP[n * P + p];
  }
}

template <class T, int P>
void ssd_forward(const SsdJob<T>& job, int64_t index, T* scratch) {
  const int64_t batch = index / job.heads, head = index % job.heads, size = job.states * P;
  const int64_t blocks = (job.time + job.every - 1) / job.every;
  T* h = scratch;
  transpose_in<T, P>(h, job.h0 + index * size, job.states);
  for (int64_t t = 0; t < job.time; t++) {
    if (job.kept != nullptr && t % job.every == 0) {
      std::memcpy(job.kept + (index * blocks + t / job.every) * size, h, sizeof(T) * size);
    }
    const int64_t batch_row = batch * job.time + t, row = batch_row * job.heads;
    ssd_step<T, P>(h, h, job, row, head, batch_row, job.y + (row + head) * P);
  }
  transpose_out<T, P>(job.h_end + index * size, h, job.states);
}

template <class T, int P>
void ssd_step_back(const T* before, const T* after, T* d, const SsdJob<T>& job, int64_t row, int64_t head, int64_t batch_row) {
  using H = Head<T, P>;
  using Vec = typename H::Vec;
  Vec x[H::count], dy[H::count] = {}, dx[H::count] = {}, sum_a = {};
  H::load_row(x, job.x + (row + head) * P);
  if (job.dy != nullptr) H::load_row(dy, job.dy + (row + head) * P);
  const T a = job.a[row + head], *b = job.b + batch_row * job.states, *c = job.c + batch_row * job.states;
  T *db = job.db + (row + head) * job.states, *dc = job.dc + (row + head) * job.states;
  for (int64_t n = 0; n < job.states; n++) {
    Vec sum_b = {}, sum_c = {};
    for (int j = 0; j < H::count; j++) {
      const int64_t i = n * P + j * H::lanes;
      Vec g = H::load(d + i) + dy[j] * c[n];
      sum_c += H::load(after + i) * dy[j];
      sum_b += g * x[j];
      sum_a += g * H::load(before + i);
      dx[j] += g * b[n];
      H::store(d + i, g * a);
    }
    db[n] = H::sum(sum_b);
    dc[n] = H::sum(sum_c);
  }
  H::store_row(job.dx + (row + head) * P, dx);
  job.dlog_a[row + head] = H::sum(sum_a) * a;
}

template <class T, int P>
void ssd_backward(const SsdJob<T>& job, int64_t index, T* scratch) {
  const int64_t batch = index / job.heads, head = index % job.heads, size = job.states * P;
  const int64_t blocks = (job.time + job.every - 1) / job.every;
  T *d = scratch, *states = d + size;
  if (job.dh_end != nullptr) {
    transpose_in<T, P>(d, job.dh_end + index * size, job.states);
  } else {
    std::memset(d, 0, sizeof(T) * size);
  }
  for (int64_t block = blocks - 1; block >= 0; block--) {
    const int64_t begin = block * job.every, end = begin + job.every < job.time ? begin + job.every : job.time;
    std::memcpy(states, job.kept + (index * blocks + block) * size, sizeof(T) * size);
    for (int64_t t = begin; t < end; t++) {
      const int64_t batch_row = batch * job.time + t;
      T* before = states + (t - begin) * size;
      ssd_step<T, P>(before, before + size, job, batch_row * job.heads, head, batch_row, nullptr);
    }
    for (int64_t t = end - 1; t >= begin; t--) {
      const int64_t batch_row = batch * job.time + t;
      const T* before = states + (t - begin) * size;
      ssd_step_back<T, P>(before, before + size, d, job, batch_row * job.heads, head, batch_row);
    }
  }
  transpose_out<T, P>(job.dh0 + index * size, d, job.states);
}

template <class T, int Width>
ScanLoops<T> loops_of() {
  return {delta_forward<T, Width>, delta_backward<T, Width>, ssd_forward<T, Width>, ssd_backward<T, Width>};
}

template <class T>
ScanLoops<T> loops_for(int64_t width) {
  switch (width) {
    case 8: return loops_of<T, 8>();
    case 16: return loops_of<T, 16>();
    case 32: return loops_of<T, 32>();
    case 64: return loops_of<T, 64>();
    default: return {};
  }
}

}  // namespace
