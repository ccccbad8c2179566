// The Python module ostinato.engines._native: addresses and sizes in, nothing out. Python checks what it hands over.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "isa.h"
#include "scan_binding.h"
#include "team.h"

namespace nb = nanobind;
using namespace ostinato;

namespace {

const void* in(uintptr_t address) { return reinterpret_cast<const void*>(address); }
void* out(uintptr_t address) { return reinterpret_cast<void*>(address); }

const Kernel& kernel(int cell, int number) {
  if (cell < 0 || cell >= static_cast<int>(Cell::count)) throw nb::value_error("no such cell");
  if (number < 0 || number >= static_cast<int>(Number::count)) throw nb::value_error("no such number");
  return isa().kernels[cell][number];
}

// The rows as Python hands them over: sizes (T) and starts (T) int64, reset (N) bytes or 0.
Rows rows(int64_t steps, int64_t slots, int64_t total, uintptr_t sizes, uintptr_t starts, uintptr_t reset,
          bool reverse) {
  return {steps,
          slots,
          total,
          static_cast<const int64_t*>(in(sizes)),
          static_cast<const int64_t*>(in(starts)),
          static_cast<const uint8_t*>(in(reset)),
          reverse};
}

template <class Call> struct Job {
  const Kernel& kernel;
  const Call& call;
  char* memory;
};

using Addresses = std::vector<uintptr_t>;

void forward(int cell, int number, int threads, int64_t inputs, int64_t units, const Rows& rows, const Addresses& a,
             int64_t y_stride) {
  const Kernel& k = kernel(cell, number);
  Forward f{inputs, units, rows, {in(a[0]), in(a[1]), in(a[2]), in(a[3])}, in(a[4]), in(a[5]), in(a[6]), out(a[7]),
            y_stride, out(a[8]), out(a[9]), out(a[10]), out(a[11])};
  nb::gil_scoped_release released;
  const int members = k.members(inputs, units, rows, threads);
  Job<Forward> job{k, f, scratch(k.forward_scratch(f, members))};
  run_team(
      members,
      [](void* context, const Member& member) {
        const auto& job = *static_cast<Job<Forward>*>(context);
        job.kernel.forward(job.call, member, job.memory);
      },
      &job);
}

void backward(int cell, int number, int threads, int64_t inputs, int64_t units, const Rows& rows, const Addresses& a,
              int64_t y_stride, int64_t dy_stride) {
  const Kernel& k = kernel(cell, number);
  Backward b{inputs,   units,    rows,      {in(a[0]), in(a[1]), in(a[2]), in(a[3])},
             in(a[4]), in(a[5]), in(a[6]),  in(a[7]),
             y_stride, in(a[8]), in(a[9]),  in(a[10]),
             dy_stride, in(a[11]), in(a[12]), out(a[13]),
             out(a[14]), out(a[15]), out(a[16]), out(a[17]),
             out(a[18]), out(a[19])};
  nb::gil_scoped_release released;
  const int members = k.members(inputs, units, rows, threads);
  Job<Backward> job{k, b, scratch(k.backward_scratch(b, members))};
  run_team(
      members,
      [](void* context, const Member& member) {
        const auto& job = *static_cast<Job<Backward>*>(context);
        job.kernel.backward(job.call, member, job.memory);
      },
      &job);
}

}  // namespace

NB_MODULE(_native, m) {
  nb::class_<Rows>(m, "Rows");
  m.def("rows", &rows);
  m.def("isas", [] {
    size_t count;
    const Isa* const* list = available_isas(count);
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.emplace_back(list[i]->name);
    return names;
  });
  m.def("isa", [] { return std::string(isa().name); });
  m.def("choose_isa", [](const std::string& name) { return choose_isa(name.c_str()); });
  m.def("saved_size", [](int cell, int number, int64_t units, int64_t total) {
    return kernel(cell, number).saved_size(units, total);
  });
  m.def("forward", &forward);
  m.def("backward", &backward);
  bind_scan(m);
}
