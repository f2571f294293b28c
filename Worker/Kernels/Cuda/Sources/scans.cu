// One block a (row, head), one thread a column of the state (delta) or a channel (ssd); the recurrence runs with the state in
// registers. N, P and kEvery are given in the head. States are kept every kEvery steps; the backward recomputes between them.
struct DeltaInputs { const float *r, *k, *v, *alpha, *beta, *w; };

extern "C" __global__ void delta_forward(DeltaInputs in, const float* s0, float* y, float* s_end, float* kept, i64 time, i64 heads) {
  __shared__ float r[N], k[N], alpha[N], beta[N], w[N];
  int j = threadIdx.x;
  i64 job = blockIdx.x, blocks = (time + kEvery - 1) / kEvery, step = heads * N, at = (job / heads * time * heads + job % heads) * N + j;
  float S[N];
  for (int i = 0; i < N; i++) S[i] = s0[(job * N + i) * N + j];
  for (i64 t = 0; t < time; t++, at += step) {
    if (kept && t % kEvery == 0)
      for (int i = 0; i < N; i++) kept[((job * blocks + t / kEvery) * N + i) * N + j] = S[i];
    __syncthreads();
    r[j] = in.r[at], k[j] = in.k[at], alpha[j] = in.alpha[at], beta[j] = in.beta[at], w[j] = in.w[at];
    float v = in.v[at], u = 0.f, out = 0.f;
    __syncthreads();
    for (int i = 0; i < N; i++) u += S[i] * alpha[i];
    for (int i = 0; i < N; i++) {
      S[i] = w[i] * S[i] + beta[i] * u + k[i] * v;
      out += S[i] * r[i];
    }
    y[at] = out;
  }
  for (int i = 0; i < N; i++) s_end[(job * N + i) * N + j] = S[i];
}

struct DeltaGrads { float *r, *k, *v, *alpha, *beta, *log_w, *s0; };

// A thread holds a column of dS for sums over rows and a row of it for sums over columns.
extern "C" __global__ void delta_backward(DeltaInputs in, const float* kept, const float* dy_in, const float* ds_end, DeltaGrads d, float* states, i64 time, i64 heads) {
  __shared__ float r[N], k[N], v[N], alpha[N], beta[N], w[N], dy[N], du[N], u[kEvery * N];
  int j = threadIdx.x;
  i64 job = blockIdx.x, blocks = (time + kEvery - 1) / kEvery, step = heads * N, first = (job / heads * time * heads + job % heads) * N + j;
  states += job * (kEvery + 1) * N * N;
  float column[N], row[N];
  for (int i = 0; i < N; i++) {
    column[i] = ds_end ? ds_end[(job * N + i) * N + j] : 0.f;
    row[i] = ds_end ? ds_end[(job * N + j) * N + i] : 0.f;
  }
  for (i64 block = blocks - 1; block >= 0; block--) {
    int length = (int)(time - block * kEvery < kEvery ? time - block * kEvery : kEvery);
    float S[N];
    for (int i = 0; i < N; i++) S[i] = kept[((job * blocks + block) * N + i) * N + j];
    for (int s = 0; s < length; s++) {
      i64 at = first + (block * kEvery + s) * step;
      for (int i = 0; i < N; i++) states[(s * N + i) * N + j] = S[i];
      __syncthreads();
      k[j] = in.k[at], alpha[j] = in.alpha[at], beta[j] = in.beta[at], w[j] = in.w[at];
      float value = in.v[at], sum = 0.f;
      __syncthreads();
      for (int i = 0; i < N; i++) sum += S[i] * alpha[i];
      u[s * N + j] = sum;
      for (int i = 0; i < N; i++) S[i] = w[i] * S[i] + beta[i] * sum + k[i] * value;
    }
    for (int i = 0; i < N; i++) states[(length * N + i) * N + j] = S[i];
    for (int s = length - 1; s >= 0; s--) {
      i64 at = first + (block * kEvery + s) * step;
      __syncthreads();
      r[j] = in.r[at], k[j] = in.k[at], v[j] = in.v[at], alpha[j] = in.alpha[at], beta[j] = in.beta[at], w[j] = in.w[at];
      dy[j] = dy_in ? dy_in[at] : 0.f;
      __syncthreads();
      float dv = 0.f, mine = 0.f;
      for (int i = 0; i < N; i++) {
        column[i] += r[i] * dy[j];
        dv += column[i] * k[i];
        mine += column[i] * beta[i];
      }
      du[j] = mine;
      __syncthreads();
      const float *before = states + (s * N + j) * N, *after = before + N * N;
      float dr = 0.f, dk = 0.f, dbeta = 0.f, dw = 0.f, dalpha = 0.f;
      for (int q = 0; q < N; q++) {
        row[q] += r[j] * dy[q];
        dr += after[q] * dy[q];
        dk += row[q] * v[q];
        dbeta += row[q] * u[s * N + q];
        dw += row[q] * before[q];
        dalpha += du[q] * before[q];
        row[q] = w[j] * row[q] + alpha[j] * du[q];
      }
      for (int i = 0; i < N; i++) column[i] = w[i] * column[i] + alpha[i] * mine;
      d.r[at] = dr, d.k[at] = dk, d.v[at] = dv, d.alpha[at] = dalpha, d.beta[at] = dbeta, d.log_w[at] = dw * w[j];
    }
    __syncthreads();
  }
  for (int i = 0; i < N; i++) d.s0[(job * N + i) * N + j] = column[i];
}

// x, y [B,T,H,P]; a [B,T,H]; b, c [B,T,N]; states [P,N] of each (row, head).
extern "C" __global__ void ssd_forward(const float* x, const float* a, const float* b, const float* c, const float* h0, float* y, float* h_end, float* kept, i64 time, i64 heads) {
  __shared__ float sb[N], sc[N];
  int p = threadIdx.x;
  i64 job = blockIdx.x, row = job / heads, head = job % heads, blocks = (time + kEvery - 1) / kEvery;
  float h[N];
  for (int n = 0; n < N; n++) h[n] = h0[(job * P + p) * N + n];
  for (i64 t = 0; t < time; t++) {
    if (kept && t % kEvery == 0)
      for (int n = 0; n < N; n++) kept[((job * blocks + t / kEvery) * P + p) * N + n] = h[n];
    i64 token = row * time + t, at = (token * heads + head) * P + p;
    __syncthreads();
    for (int n = p; n < N; n += P) sb[n] = b[token * N + n], sc[n] = c[token * N + n];
    float decay = a[token * heads + head], in = x[at], out = 0.f;
    __syncthreads();
    for (int n = 0; n < N; n++) {
      h[n] = decay * h[n] + in * sb[n];
      out += h[n] * sc[n];
    }
    y[at] = out;
  }
  for (int n = 0; n < N; n++) h_end[(job * P + p) * N + n] = h[n];
}

// db and dc are of each head: [B,T,H,N].
struct SsdGrads { float *x, *log_a, *b, *c, *h0; };

extern "C" __global__ void ssd_backward(const float* x, const float* a, const float* b, const float* c, const float* kept, const float* dy_in, const float* dh_end, SsdGrads d, float* states, i64 time, i64 heads) {
  __shared__ float sb[N], sc[N], share_b[P * (N + 1)], share_c[P * (N + 1)], shared[32];
  int p = threadIdx.x;
  i64 job = blockIdx.x, row = job / heads, head = job % heads, blocks = (time + kEvery - 1) / kEvery;
  states += job * (kEvery + 1) * P * N;
  float dh[N];
  for (int n = 0; n < N; n++) dh[n] = dh_end ? dh_end[(job * P + p) * N + n] : 0.f;
  for (i64 block = blocks - 1; block >= 0; block--) {
    int length = (int)(time - block * kEvery < kEvery ? time - block * kEvery : kEvery);
    float h[N];
    for (int n = 0; n < N; n++) h[n] = kept[((job * blocks + block) * P + p) * N + n];
    for (int s = 0; s <= length; s++) {
      for (int n = 0; n < N; n++) states[(s * N + n) * P + p] = h[n];
      if (s == length) break;
      i64 token = row * time + block * kEvery + s;
      __syncthreads();
      for (int n = p; n < N; n += P) sb[n] = b[token * N + n];
      __syncthreads();
      float decay = a[token * heads + head], in = x[(token * heads + head) * P + p];
      for (int n = 0; n < N; n++) h[n] = decay * h[n] + in * sb[n];
    }
    for (int s = length - 1; s >= 0; s--) {
      i64 token = row * time + block * kEvery + s, at = (token * heads + head) * P + p;
      __syncthreads();
      for (int n = p; n < N; n += P) sb[n] = b[token * N + n], sc[n] = c[token * N + n];
      __syncthreads();
      float decay = a[token * heads + head], in = x[at], dy = dy_in ? dy_in[at] : 0.f, dx = 0.f, da = 0.f;
      for (int n = 0; n < N; n++) {
        dh[n] += dy * sc[n];
        dx += dh[n] * sb[n];
        da += dh[n] * states[(s * N + n) * P + p];
        share_b[p * (N + 1) + n] = dh[n] * in;
        share_c[p * (N + 1) + n] = dy * states[((s + 1) * N + n) * P + p];
        dh[n] *= decay;
      }
      d.x[at] = dx;
      float all = block_sum(da, shared);
      if (p == 0) d.log_a[token * heads + head] = all * decay;
      __syncthreads();
      for (int o = p; o < 2 * N; o += P) {
        const float* share = o < N ? share_b : share_c;
        float sum = 0.f;
        for (int q = 0; q < P; q++) sum += share[q * (N + 1) + o % N];
        (o < N ? d.b : d.c)[(token * heads + head) * N + o % N] = sum;
      }
    }
    __syncthreads();
  }
  for (int n = 0; n < N; n++) d.h0[(job * P + p) * N + n] = dh[n];
}
