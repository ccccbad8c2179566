// Sequences, padded or end to end, into packed rows and back: the layout, and copies of whole rows.
#include "rows_binding.h"

#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <tuple>

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

}  // namespace

void bind_rows(nb::module_& m) {
  m.def("layout", &layout);
  m.def("pack_rows", &pack_rows);
  m.def("unpack_rows", &unpack_rows);
}

}  // namespace ostinato
