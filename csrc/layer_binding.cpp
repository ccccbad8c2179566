#include "layer_binding.h"

#include <nanobind/stl/vector.h>

#include <cmath>
#include <cstring>

#include "team.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

// `count` numbers further on; nothing stays nothing.
char* at(uintptr_t address, int64_t count, const Shape& s) {
  return address == 0 ? nullptr : reinterpret_cast<char*>(address) + count * s.width();
}

// Memory that the calling thread keeps for one purpose.
template <class Purpose> char* kept(int64_t bytes) {
  thread_local std::vector<char> memory;
  if (static_cast<int64_t>(memory.size()) < bytes) memory.assign(static_cast<size_t>(bytes), 0);
  return memory.data();
}
struct Zeros;
struct Unread;

// What the steps hold, where Python gave none or gave only their sizes.
Rows rows_of(const Shape& s, int direction) {
  thread_local std::vector<int64_t> sizes, starts;
  if (direction == 0) {
    const auto* given = reinterpret_cast<const int64_t*>(s.sizes);
    const auto count = static_cast<size_t>(s.steps);
    starts.resize(count), sizes.resize(count);
    int64_t total = 0, before = s.slots;
    for (size_t t = 0; t < count; ++t) {
      const int64_t size = given == nullptr ? s.slots : given[t];
      if (size < 1 || size > before) throw nb::value_error("batch_sizes must never rise and end with at least 1");
      starts[t] = total, sizes[t] = before = size;
      total += size;
    }
    if (total != s.total) throw nb::value_error("batch_sizes do not add up to the number of rows");
    const auto* places = reinterpret_cast<const int64_t*>(s.places);
    for (int64_t row = 0; places != nullptr && row < total; ++row)
      if (places[row] < 0 || places[row] >= s.count) throw nb::value_error("a place is not that of a row");
  }
  const auto* reset = reinterpret_cast<const uint8_t*>(s.reset);
  return {s.steps,        s.slots,       s.total,
          sizes.data(),   starts.data(), reset == nullptr ? nullptr : reset + direction * s.total,
          s.directions == 2 ? direction == 1 : s.reverse,
          reinterpret_cast<const int64_t*>(s.places)};
}

// Rows of `width` numbers in which no packed row lies are 0. By this thread: those of PyTorch's operators would go on
// waiting busily where the team wants to work.
void blank(const Shape& s, uintptr_t address, int64_t width) {
  if (address == 0 || s.count == s.total) return;  // of no packed rows at all the list of places has no address
  const auto* places = reinterpret_cast<const int64_t*>(s.places);
  std::vector<bool> lies(static_cast<size_t>(s.count));
  for (int64_t row = 0; row < s.total; ++row) lies[static_cast<size_t>(places[row])] = true;
  for (int64_t row = 0; row < s.count; ++row)
    if (!lies[static_cast<size_t>(row)]) std::memset(at(address, row * width, s), 0, static_cast<size_t>(width * s.width()));
}

// The noise of one direction.
Noise noise_of(const Shape& s, int direction) {
  Noise noise = s.noise;
  noise.direction = s.directions == 2 ? direction : s.reverse;
  return noise;
}

Weights weights_of(const uintptr_t* w, const Shape& s) {
  return {at(w[0], 0, s),
          at(w[1], 0, s),
          at(w[2], 0, s),
          at(w[3], 0, s),
          {at(w[4], 0, s), at(w[5], 0, s), at(w[6], 0, s), at(w[7], 0, s)},
          at(w[8], 0, s)};
}

const void* state_or_zeros(uintptr_t address, int direction, const Shape& s, int64_t width) {
  const int64_t count = s.slots * width;
  return address == 0 ? kept<Zeros>(count * s.width()) : at(address, direction * count, s);
}

// Runs the calls, one a direction. A direction that is not worth several threads still runs beside the other one.
template <class Call, class Scratch, class Work>
void run(const Shape& s, const Call* calls, Scratch needed, Work work) {
  const Kernel& k = kernel(s.cell, s.number);
  nb::gil_scoped_release released;
  const int members = k.members(s.inputs, s.units, calls[0].rows, s.threads);
  const double products = static_cast<double>(s.units * (s.units + s.inputs)) * static_cast<double>(s.total);
  struct Job {
    Work work;
    const Call* calls;
    char* memory;
    int64_t apart;  // bytes from one direction's memory to the next
  };
  if (members == 1 && s.directions == 2 && s.threads > 1 && products > 2e5) {
    const int64_t apart = (needed(calls[0], 1) + 63) / 64 * 64;
    Job job{work, calls, scratch(2 * apart), apart};
    run_team(
        2,
        [](void* context, const Member& member) {
          const Job& job = *static_cast<Job*>(context);
          for (int d = member.id; d < 2; d += member.count) job.work(job.calls[d], Member{}, job.memory + d * job.apart);
        },
        &job);
    return;
  }
  for (int d = 0; d < s.directions; ++d) {
    Job job{work, calls + d, scratch(needed(calls[d], members)), 0};
    run_team(
        members,
        [](void* context, const Member& member) {
          const Job& job = *static_cast<Job*>(context);
          job.work(*job.calls, member, job.memory);
        },
        &job);
  }
}

// `noise`: nothing, or whether in training, the shares of recurrent dropout and of zoneout of h and c, and the layer.
Noise noise_from(const std::vector<double>& noise, uint64_t seed, uintptr_t sequences) {
  Noise made;
  if (noise.empty()) return made;
  const auto threshold = [](double share) { return static_cast<uint64_t>(std::nearbyint(share * 4294967296.0)); };
  made.on = true, made.training = noise[0] != 0, made.seed = seed, made.layer = static_cast<int>(noise[4]);
  made.sequences = reinterpret_cast<const int64_t*>(sequences);
  made.drop = threshold(noise[1]), made.hold_h = threshold(noise[2]), made.hold_c = threshold(noise[3]);
  made.scale = noise[1] == 1 ? 0 : 1 / (1 - noise[1]);
  made.share_h = noise[2], made.share_c = noise[3];
  return made;
}

Shape shape(int cell, int number, int threads, int directions, bool reverse, int64_t inputs, int64_t units,
            int64_t steps, int64_t slots, int64_t total, uintptr_t sizes, uintptr_t reset, uintptr_t sequences,
            int64_t outputs, const std::vector<double>& noise, uint64_t seed, uintptr_t places, int64_t count) {
  if (slots == 0) steps = 0;
  return {cell,  number, threads, directions, reverse, inputs, units,
          steps, slots,  total,   sizes,      reset,   outputs, noise_from(noise, seed, sequences),
          places, count};
}

}  // namespace

const Kernel& kernel(int cell, int number) {
  if (cell < 0 || cell >= static_cast<int>(Cell::count)) throw nb::value_error("no such cell");
  if (number < 0 || number >= static_cast<int>(Number::count)) throw nb::value_error("no such number");
  const Kernel& found = isa().kernels[cell][number];
  if (found.forward == nullptr) throw nb::value_error("no such number for this cell");
  return found;
}

void forward(const Shape& s, bool has_c, bool low, const Addresses& a) {
  const Kernel& k = kernel(s.cell, s.number);
  const Kept kept(s, has_c, low);
  const int64_t h_state = s.slots * s.shown(), c_state = s.slots * s.units;
  Forward calls[2];
  for (int d = 0; d < s.directions; ++d) {
    Forward& f = calls[d];
    f.inputs = s.inputs, f.units = s.units, f.rows = rows_of(s, d), f.noise = noise_of(s, d);
    f.weights = weights_of(&a[7 + places * static_cast<size_t>(d)], s);
    f.x = at(a[0], 0, s);
    f.outputs = s.outputs;
    f.h0 = state_or_zeros(a[1], d, s, s.shown());
    f.y = at(a[3], d * s.shown(), s), f.y_stride = s.directions * s.shown();
    f.hn = at(a[4], d * h_state, s);
    f.saved = low ? nullptr : at(a[6], d * kept.each, s);
    if (has_c) {
      f.c0 = state_or_zeros(a[2], d, s, s.units);
      f.cn = at(a[5], d * c_state, s);
      f.c = at(a[6], d * kept.each + kept.gates, s);
    }
  }
  blank(s, a[3], s.directions * s.shown());
  run(s, calls, k.forward_scratch, k.forward);
}

void backward(const Shape& s, bool has_c, bool low, const Addresses& a) {
  const Kernel& k = kernel(s.cell, s.number);
  const Kept saved(s, has_c, low);
  const int64_t h_state = s.slots * s.shown(), c_state = s.slots * s.units;
  Backward calls[2];
  for (int d = 0; d < s.directions; ++d) {
    const uintptr_t* w = &a[10 + (2 * places + 1) * static_cast<size_t>(d)];
    char* unread = kept<Unread>(2 * (h_state + c_state) * s.width()) + d * (h_state + c_state) * s.width();
    Backward& b = calls[d];
    b.inputs = s.inputs, b.units = s.units, b.rows = rows_of(s, d), b.noise = noise_of(s, d);
    b.weights = weights_of(w, s);
    b.x = at(a[0], 0, s);
    b.outputs = s.outputs;
    b.h0 = state_or_zeros(a[1], d, s, s.shown());
    b.y = at(a[3], d * s.shown(), s), b.y_stride = s.directions * s.shown();
    b.saved = low ? nullptr : at(a[4], d * saved.each, s);
    b.dy = at(a[5], d * s.shown(), s), b.dy_stride = s.directions * s.shown();
    b.dhn = at(a[6], d * h_state, s);
    b.dh0 = a[8] == 0 ? unread : at(a[8], d * h_state, s);
    if (has_c) {
      b.c0 = state_or_zeros(a[2], d, s, s.units);
      b.c = at(a[4], d * saved.each + saved.gates, s);
      b.dcn = at(a[7], d * c_state, s);
      b.dc0 = a[9] == 0 ? unread + h_state * s.width() : at(a[9], d * c_state, s);
    }
    const uintptr_t* dw = w + places;
    b.dih = at(dw[0], 0, s), b.dhh = at(dw[1], 0, s), b.dbias_ih = at(dw[2], 0, s), b.dbias_hh = at(dw[3], 0, s);
    for (int i = 0; i < 4; ++i) b.dmore[i] = at(dw[4 + i], 0, s);
    b.dhr = at(dw[8], 0, s), b.dx = at(dw[9], 0, s);
  }
  for (int d = 0; d < s.directions; ++d) blank(s, reinterpret_cast<uintptr_t>(calls[d].dx), s.inputs);
  run(s, calls, k.backward_scratch, k.backward);
}

void bind_layer(nb::module_& m) {
  nb::class_<Shape>(m, "Shape");
  m.def("shape", &shape);
  m.def("serves", [](int cell, int number) { return isa().kernels[cell][number].forward != nullptr; });
  m.def("saved_size", [](int cell, int number, int64_t units, int64_t total) {
    return kernel(cell, number).saved_size(units, total);
  });
  m.def("forward", &forward);
  m.def("backward", &backward);
}

}  // namespace ostinato
