// Addresses and sizes in, nothing out, as in binding.cpp.
#include "scan_binding.h"

#include <nanobind/stl/vector.h>

#include "isa.h"
#include "team.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

using Addresses = std::vector<uintptr_t>;
using Numbers = std::vector<int64_t>;

const void* in(uintptr_t address) { return reinterpret_cast<const void*>(address); }
void* out(uintptr_t address) { return reinterpret_cast<void*>(address); }

const ScanKernel& kernel(int cell, int number) {
  if (cell < 0 || cell >= static_cast<int>(ScanCell::count)) throw nb::value_error("no such cell");
  if (number < 0 || number >= static_cast<int>(Number::count)) throw nb::value_error("no such number");
  const ScanKernel& found = isa().scans[cell][number];
  if (found.forward == nullptr) throw nb::value_error("no such number for this cell");
  return found;
}

// The rows as Python hands them over: the address of the batch sizes (T), never rising, and of the flags (N) or 0.
Rows rows_of(const Addresses& sizes_and_reset, bool reverse, int64_t steps, int64_t slots, int64_t total) {
  thread_local std::vector<int64_t> starts;
  const auto* sizes = static_cast<const int64_t*>(in(sizes_and_reset[0]));
  starts.resize(static_cast<size_t>(steps));
  int64_t found = 0, before = slots;
  for (int64_t t = 0; t < steps; ++t) {
    if (sizes[t] < 1 || sizes[t] > before) throw nb::value_error("batch_sizes must never rise and end with at least 1");
    starts[static_cast<size_t>(t)] = found;
    found += before = sizes[t];
  }
  if (found != total) throw nb::value_error("batch_sizes do not add up to the number of rows");
  return {steps, slots, total, sizes, starts.data(), static_cast<const uint8_t*>(in(sizes_and_reset[1])), reverse};
}

template <class Call> struct Job {
  const ScanKernel& kernel;
  const Call& call;
  char* memory;
};

// flow: threads, units, steps, slots, total. places: batch sizes, flags.
void forward(int cell, int number, bool reverse, const Numbers& flow, const Addresses& places, const Addresses& a) {
  const int64_t units = flow[1];
  const Rows rows = rows_of(places, reverse, flow[2], flow[3], flow[4]);
  const ScanKernel& k = kernel(cell, number);
  const Scan f{units, rows, in(a[0]), in(a[1]), in(a[2]), in(a[3]), out(a[4]), out(a[5]), out(a[6])};
  nb::gil_scoped_release released;
  Job<Scan> job{k, f, nullptr};
  run_team(
      k.members(units, rows, static_cast<int>(flow[0])),
      [](void* context, const Member& member) {
        const auto& job = *static_cast<Job<Scan>*>(context);
        job.kernel.forward(job.call, member);
      },
      &job);
}

void backward(int cell, int number, bool reverse, const Numbers& flow, const Addresses& places, const Addresses& a) {
  const int64_t units = flow[1];
  const Rows rows = rows_of(places, reverse, flow[2], flow[3], flow[4]);
  const ScanKernel& k = kernel(cell, number);
  const ScanBackward b{units,    rows,     in(a[0]), in(a[1]),  in(a[2]),  in(a[3]), in(a[4]),
                       in(a[5]), in(a[6]), out(a[7]), out(a[8]), out(a[9]), out(a[10])};
  nb::gil_scoped_release released;
  Job<ScanBackward> job{k, b, scratch(k.backward_scratch(b))};
  run_team(
      k.members(units, rows, static_cast<int>(flow[0])),
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
