// Sequences, padded or end to end, into packed rows and back: the layout, and copies of whole rows. Numbers of bfloat16
// into float32 and back: by the team of this module, as other threads that wait busily would slow the kernels.
#include "rows_binding.h"

#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "team.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

template <class T> T* at(uintptr_t address) { return reinterpret_cast<T*>(address); }

// The longest first, equal lengths in their order: batch sizes (at most `most`), order and its inverse (B). Gives the
// number of steps and of rows, and whether the sequences lay in that order.
std::tuple<int64_t, int64_t, bool> layout(uintptr_t lengths, int64_t batch, int64_t most, uintptr_t sizes,
                                          uintptr_t order, uintptr_t slots) {
  const int64_t* length = at<const int64_t>(lengths);
  std::vector<int64_t> place(static_cast<size_t>(most) + 1, 0);  // sequences of a length; then those that come before
  int64_t steps = 0, total = 0;
  bool sorted = true;
  for (int64_t b = 0; b < batch; ++b) {
    if (length[b] < 0 || length[b] > most) throw nb::value_error("a length is not between 0 and the number of steps");
    ++place[static_cast<size_t>(length[b])];
    steps = std::max(steps, length[b]);
    total += length[b];
    sorted = sorted && (b == 0 || length[b] <= length[b - 1]);
  }
  int64_t longer = 0;
  for (int64_t t = most; t >= 0; --t) {
    const int64_t count = place[static_cast<size_t>(t)];
    place[static_cast<size_t>(t)] = longer;
    if (t < steps) at<int64_t>(sizes)[t] = longer;
    longer += count;
  }
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t slot = place[static_cast<size_t>(length[b])]++;
    at<int64_t>(order)[slot] = b, at<int64_t>(slots)[b] = slot;
  }
  return {steps, total, sorted};
}

// Step t of the sequence in slot j lies in row starts[order[j]] + t * apart.
// counts: steps, B, apart, bytes of a row. places: batch sizes, order, starts.
struct Places {
  int64_t steps, batch, apart;
  size_t bytes;
  const int64_t *sizes, *order, *starts;
  Places(const std::vector<int64_t>& counts, const std::vector<uintptr_t>& places)
      : steps(counts[0]), batch(counts[1]), apart(counts[2]), bytes(static_cast<size_t>(counts[3])),
        sizes(at<const int64_t>(places[0])), order(at<const int64_t>(places[1])),
        starts(at<const int64_t>(places[2])) {}
  size_t row(int64_t t, int64_t slot) const { return static_cast<size_t>(starts[order[slot]] + t * apart) * bytes; }
};

void pack_rows(const std::vector<int64_t>& counts, const std::vector<uintptr_t>& places, uintptr_t from, uintptr_t to) {
  const Places rows(counts, places);
  nb::gil_scoped_release released;
  char* target = at<char>(to);
  for (int64_t t = 0; t < rows.steps; ++t)
    for (int64_t j = 0; j < rows.sizes[t]; ++j, target += rows.bytes)
      std::memcpy(target, at<const char>(from) + rows.row(t, j), rows.bytes);
}

// Beyond a sequence's end, up to step `padded`, rows are 0.
void unpack_rows(const std::vector<int64_t>& counts, const std::vector<uintptr_t>& places, uintptr_t from, uintptr_t to,
                 int64_t padded) {
  const Places rows(counts, places);
  nb::gil_scoped_release released;
  const char* source = at<const char>(from);
  for (int64_t t = 0; t < std::max(rows.steps, padded); ++t) {
    const int64_t size = t < rows.steps ? rows.sizes[t] : 0;
    for (int64_t j = 0; j < size; ++j, source += rows.bytes)
      std::memcpy(at<char>(to) + rows.row(t, j), source, rows.bytes);
    if (t < padded)
      for (int64_t j = size; j < rows.batch; ++j) std::memset(at<char>(to) + rows.row(t, j), 0, rows.bytes);
  }
}

struct Conversion {
  uintptr_t from, to;
  int64_t count;
};

// What member `member` of a team does.
Conversion part(const void* context, const Member& member, int64_t from_bytes, int64_t to_bytes) {
  const Conversion& all = *static_cast<const Conversion*>(context);
  const int64_t first = all.count * member.id / member.count, last = all.count * (member.id + 1) / member.count;
  return {all.from + static_cast<uintptr_t>(first * from_bytes), all.to + static_cast<uintptr_t>(first * to_bytes),
          last - first};
}

void convert(uintptr_t from, uintptr_t to, int64_t count, int threads, void (*work)(void*, const Member&)) {
  Conversion all{from, to, count};
  nb::gil_scoped_release released;
  run_team(count < 1 << 16 ? 1 : threads, work, &all);
}

void widen(uintptr_t from, uintptr_t to, int64_t count, int threads) {
  convert(from, to, count, threads, [](void* context, const Member& member) {
    const Conversion mine = part(context, member, 2, 4);
    const auto* source = at<const uint16_t>(mine.from);
    auto* target = at<uint32_t>(mine.to);
    for (int64_t i = 0; i < mine.count; ++i) target[i] = static_cast<uint32_t>(source[i]) << 16;
  });
}

// To the nearest, ties to even; NaN stays NaN.
void narrow(uintptr_t from, uintptr_t to, int64_t count, int threads) {
  convert(from, to, count, threads, [](void* context, const Member& member) {
    const Conversion mine = part(context, member, 4, 2);
    const auto* source = at<const uint32_t>(mine.from);
    auto* target = at<uint16_t>(mine.to);
    for (int64_t i = 0; i < mine.count; ++i) {
      const uint32_t bits = source[i], rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
      target[i] = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded);
    }
  });
}

}  // namespace

void bind_rows(nb::module_& m) {
  m.def("layout", &layout);
  m.def("pack_rows", &pack_rows);
  m.def("unpack_rows", &unpack_rows);
  m.def("widen", &widen);
  m.def("narrow", &narrow);
}

}  // namespace ostinato
