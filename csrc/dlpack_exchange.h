// The part of DLPack 1.3's C exchange that is used here: how tensors of another library are read, and new ones made,
// without linking against it. Layouts as that standard fixes them; what is not used stands as a plain pointer.
#pragma once

#include <Python.h>

#include <cstdint>

namespace ostinato::dlpack {

inline constexpr int32_t cpu = 1;
inline constexpr uint8_t floating = 2;

struct Version {
  uint32_t major, minor;
};
struct Device {
  int32_t type, id;
};
struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct Tensor {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};
struct Managed {
  Version version;
  void* manager;
  void (*deleter)(Managed*);
  uint64_t flags;
  Tensor tensor;
};
struct Exchange {
  Version version;
  void* older;
  void *allocate, *take;
  int (*wrap)(Managed* tensor, void** object);
  int (*view)(void* object, Tensor* view);  // borrowed, as long as the object lives
  void* stream;
};

// The exchange of a type; none if it has none, or one of another version.
const Exchange* exchange_of(PyTypeObject* type);

}  // namespace ostinato::dlpack
