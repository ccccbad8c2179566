// Addresses and sizes in, nothing out, as in binding.cpp.
#include "scan_binding.h"

#include <nanobind/stl/vector.h>

#include "isa.h"
#include "team.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

using Addresses = std::vector<uintptr_t>;

const void* in(uintptr_t address) { return reinterpret_cast<const void*>(address); }
void* out(uintptr_t address) { return reinterpret_cast<void*>(address); }

const ScanKernel& kernel(int cell, int number) {
  if (cell < 0 || cell >= static_cast<int>(ScanCell::count)) throw nb::value_error("no such cell");
  if (number < 0 || number >= static_cast<int>(Number::count)) throw nb::value_error("no such number");
  return isa().scans[cell][number];
}

template <class Call> struct Job {
  const ScanKernel& kernel;
  const Call& call;
  char* memory;
};

void forward(int cell, int number, int threads, int64_t units, const Rows& rows, const Addresses& a) {
  const ScanKernel& k = kernel(cell, number);
  const Scan f{units, rows, in(a[0]), in(a[1]), in(a[2]), in(a[3]), out(a[4]), out(a[5]), out(a[6])};
  nb::gil_scoped_release released;
  Job<Scan> job{k, f, nullptr};
  run_team(
      k.members(units, rows, threads),
      [](void* context, const Member& member) {
        const auto& job = *static_cast<Job<Scan>*>(context);
        job.kernel.forward(job.call, member);
      },
      &job);
}

void backward(int cell, int number, int threads, int64_t units, const Rows& rows, const Addresses& a) {
  const ScanKernel& k = kernel(cell, number);
  const ScanBackward b{units,    rows,     in(a[0]), in(a[1]),  in(a[2]),  in(a[3]), in(a[4]),
                       in(a[5]), in(a[6]), out(a[7]), out(a[8]), out(a[9]), out(a[10])};
  nb::gil_scoped_release released;
  Job<ScanBackward> job{k, b, scratch(k.backward_scratch(b))};
  run_team(
      k.members(units, rows, threads),
      [](void* context, const Member& member) {
        const auto& job = *static_cast<Job<ScanBackward>*>(context);
        job.kernel.backward(job.call, member, job.memory);
      },
      &job);
}

}  // namespace

void bind_scan(nb::module_& m) {
  m.def("scan_forward", &forward);
  m.def("scan_backward", &backward);
}

}  // namespace ostinato
