// The one door between C# and libtorch.
//
// Rules of the border
//  - Every function returns a code: 0 = done, else HT_ERROR; ht_last_error() then gives the text of this thread's last error.
//  - Results come back through out-parameters. "new" = the caller frees it with ht_free; "borrowed" = it must not.
//  - Every exception is caught here. Null pointers and negative counts are errors, never crashes.
//  - Only blittable values cross: handles, 64-bit integers, doubles, pointers with counts.
#pragma once
#include <cstdint>

#if defined(__GNUC__)
#define HT_API extern "C" __attribute__((visibility("default")))
#else
#define HT_API extern "C"
#endif

enum : int32_t { HT_OK = 0, HT_ERROR = 1 };

enum ht_tag : int32_t {
  HT_NONE = 0,
  HT_TENSOR = 1,       // data = tensor handle
  HT_INT = 2,          // bits
  HT_DOUBLE = 3,       // bits, reinterpreted
  HT_BOOL = 4,         // bits
  HT_INTS = 5,         // data = const int64_t*, count
  HT_TENSORS = 6,      // data = tensor handle*, count; a null handle is "no tensor" where the schema allows it
  HT_STRING = 7,       // data = const char* in UTF-8, count bytes
  HT_DOUBLES = 8,      // data = const double*, count
};

enum ht_graph_action : int32_t {
  HT_GRAPH_BEGIN = 0,   // graph: new
  HT_GRAPH_END = 1,
  HT_GRAPH_REPLAY = 2,
  HT_GRAPH_FREE = 3,
};

// One argument or result. As an argument everything is borrowed; as a result tensors and arrays are new.
struct ht_value {
  int32_t tag;
  int32_t count;
  int64_t bits;
  void* data;
};

typedef void* ht_tensor;
typedef void* ht_op;

// --- operators
HT_API int32_t ht_op_find(const char* name, const char* overload, ht_op* op);                    // borrowed, lives for ever
HT_API int32_t ht_op_call(ht_op op, const ht_value* args, int32_t count, ht_value* results, int32_t capacity, int32_t* written);

// --- lifetime
HT_API int32_t ht_free(ht_tensor tensor);
HT_API int32_t ht_free_list(ht_value* value);                                                    // frees the array, not its tensors
HT_API int32_t ht_live(int64_t* tensors);                                                        // handles handed out and not yet freed

// --- data
HT_API int32_t ht_from_data(const void* data, const int64_t* shape, int32_t dims, int32_t scalar_type, ht_tensor* tensor);  // new, copies
HT_API int32_t ht_info(ht_tensor tensor, int32_t* scalar_type, int32_t* device, int32_t* dims, int64_t* shape, int32_t capacity, int64_t* bytes);
HT_API int32_t ht_data(ht_tensor tensor, void** data);                                           // borrowed; contiguous CPU tensors only

// --- autograd
HT_API int32_t ht_requires_grad(ht_tensor tensor, int32_t set, int32_t* now);                    // set: -1 reads, 0/1 writes
HT_API int32_t ht_grad(ht_tensor tensor, int32_t set, ht_tensor value, ht_tensor* grad);         // new, or null when there is none
HT_API int32_t ht_grad_mode(int32_t set, int32_t* before);

// --- runtime
HT_API int32_t ht_rng_seed(int32_t device, uint64_t seed);                                       // device: -1 = CPU
HT_API int32_t ht_rng_state(int32_t device, ht_tensor set, ht_tensor* state);                    // new
HT_API int32_t ht_threads(int32_t set, int32_t* now);
HT_API int32_t ht_deterministic(int32_t set, int32_t* now);                                      // set: -1 reads, 0/1 writes; 1 = as far as operators can, else a warning
HT_API int32_t ht_cuda_count(int32_t* devices);
HT_API int32_t ht_cuda_sync(int32_t device);
HT_API int32_t ht_memory(int32_t device, int32_t restart, int64_t* allocated, int64_t* peak);         // bytes of tensors; restart = 1: the peak begins anew
HT_API int32_t ht_cuda_graph(int32_t action, int32_t device, void** graph);                      // work queued between begin and end is recorded, not done
HT_API int32_t ht_version(const char** text);                                                    // borrowed
HT_API int32_t ht_noop(void);
HT_API const char* ht_last_error(void);                                                          // borrowed until this thread's next call
