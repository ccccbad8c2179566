// Sequences, padded or end to end, into packed rows and back: the layout, and copies of whole rows.
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

// The longest first, equal lengths in their order: batch sizes (at most `most`), order and its inverse (B), and the row
// in which each packed row lies (N): step t of sequence b in row starts[b] + t * apart. Gives the number of steps and of
// rows, and whether the sequences lay in that order.
std::tuple<int64_t, int64_t, bool> layout(uintptr_t lengths, int64_t batch, int64_t most, uintptr_t starts,
                                          int64_t apart, const std::vector<uintptr_t>& found) {
  const uintptr_t sizes = found[0], order = found[1], slots = found[2];
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
  int64_t* row = at<int64_t>(found[3]);
  for (int64_t t = 0; t < steps; ++t)
    for (int64_t j = 0; j < at<int64_t>(sizes)[t]; ++j)
      *row++ = at<const int64_t>(starts)[at<int64_t>(order)[j]] + t * apart;
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

// One of a team that copies: the steps from `first` to `last`, and the packed row that comes first among them.
struct Part {
  int64_t first, last, row;
};

// Parts of about as many rows, `padded` steps in all.
Part part_of(const Places& rows, int64_t padded, const Member& member) {
  int64_t total = 0;
  for (int64_t t = 0; t < rows.steps; ++t) total += rows.sizes[t];
  const int64_t from = total * member.id / member.count, to = total * (member.id + 1) / member.count;
  Part part{0, 0, 0};
  int64_t t = 0, row = 0;
  for (; t < rows.steps && row < from; ++t) row += rows.sizes[t];
  part.first = t, part.row = row;
  for (; t < rows.steps && row < to; ++t) row += rows.sizes[t];
  part.last = member.id + 1 == member.count ? std::max(rows.steps, padded) : t;
  return part;
}

// A copy of whole rows between `packed` and `places`; `work` does a part of it.
struct Copy {
  Places rows;
  char *packed, *spread;
  int64_t padded;
};

void shared(const Copy& copy, int threads, void (*work)(void*, const Member&)) {
  constexpr int64_t worth = 4 << 20;  // bytes; less is copied before another thread wakes
  const int64_t bytes = copy.rows.steps * copy.rows.batch * static_cast<int64_t>(copy.rows.bytes);
  nb::gil_scoped_release released;
  run_team(bytes < worth ? 1 : threads, work, const_cast<Copy*>(&copy));
}

void pack_rows(const std::vector<int64_t>& counts, const std::vector<uintptr_t>& places, uintptr_t from, uintptr_t to,
               int threads) {
  shared({{counts, places}, at<char>(to), at<char>(from), 0}, threads, [](void* context, const Member& member) {
    const Copy& copy = *static_cast<const Copy*>(context);
    const Places& rows = copy.rows;
    const Part part = part_of(rows, 0, member);
    char* target = copy.packed + static_cast<size_t>(part.row) * rows.bytes;
    for (int64_t t = part.first; t < part.last; ++t)
      for (int64_t j = 0; j < rows.sizes[t]; ++j, target += rows.bytes)
        std::memcpy(target, copy.spread + rows.row(t, j), rows.bytes);
  });
}

// Beyond a sequence's end, up to step `padded`, rows are 0.
void unpack_rows(const std::vector<int64_t>& counts, const std::vector<uintptr_t>& places, uintptr_t from, uintptr_t to,
                 int64_t padded, int threads) {
  shared({{counts, places}, at<char>(from), at<char>(to), padded}, threads, [](void* context, const Member& member) {
    const Copy& copy = *static_cast<const Copy*>(context);
    const Places& rows = copy.rows;
    const Part part = part_of(rows, copy.padded, member);
    const char* source = copy.packed + static_cast<size_t>(part.row) * rows.bytes;
    for (int64_t t = part.first; t < part.last; ++t) {
      const int64_t size = t < rows.steps ? rows.sizes[t] : 0;
      for (int64_t j = 0; j < size; ++j, source += rows.bytes)
        std::memcpy(copy.spread + rows.row(t, j), source, rows.bytes);
      if (t < copy.padded)
        for (int64_t j = size; j < rows.batch; ++j) std::memset(copy.spread + rows.row(t, j), 0, rows.bytes);
    }
  });
}

}  // namespace

void bind_rows(nb::module_& m) {
  m.def("layout", &layout);
  m.def("pack_rows", &pack_rows);
  m.def("unpack_rows", &unpack_rows);
}

}  // namespace ostinato
