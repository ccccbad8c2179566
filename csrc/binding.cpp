// The Python module ostinato.engines._native.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <new>

#include "convert_binding.h"
#include "isa.h"
#include "layer_binding.h"
#include "plan_binding.h"
#include "pool.h"
#include "rows_binding.h"
#include "scan_binding.h"
#include "stream_binding.h"

namespace nb = nanobind;
using namespace ostinato;

namespace {

// Memory for a large result that is kept between calls, as numbers of one width; it goes back to the pool with the array.
template <class T> nb::object buffer_of(int64_t count) {
  void* memory = take_buffer(count * static_cast<int64_t>(sizeof(T)));
  if (memory == nullptr) throw std::bad_alloc();
  nb::capsule owner(memory, [](void* p) noexcept { give_buffer(p); });
  const size_t shape = static_cast<size_t>(count);
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(static_cast<T*>(memory), {shape}, owner));
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("isas", [] {
    size_t count;
    const Isa* const* list = available_isas(count);
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.emplace_back(list[i]->name);
    return names;
  });
  m.def("isa", [] { return std::string(isa().name); });
  m.def("choose_isa", [](const std::string& name) { return choose_isa(name.c_str()); });
  m.def("buffer", [](int number, int64_t count) {
    return number == static_cast<int>(Number::float64) ? buffer_of<double>(count) : buffer_of<float>(count);
  });
  bind_convert(m);
  bind_layer(m);
  bind_plan(m);
  bind_rows(m);
  bind_scan(m);
  bind_stream(m);
}
