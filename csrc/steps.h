// Who computes what: the steps in the order of processing, and the share of one member of the team.
#pragma once

#include "layer.h"
#include "pack.h"

namespace ostinato::OSTINATO_ISA {

// One step in the order of processing, and the step before it in that order (none at the first). `time` counts from the
// beginning of the sequence.
struct Step {
  int64_t time, first, count, before, before_count;
};

inline Step step_at(const Rows& rows, int64_t s) {
  const int64_t t = rows.reverse ? rows.steps - 1 - s : s;
  const int64_t b = rows.reverse ? t + 1 : t - 1;
  if (s == 0) return {t, rows.starts[t], rows.sizes[t], 0, 0};
  return {t, rows.starts[t], rows.sizes[t], rows.starts[b], rows.sizes[b]};
}

// Whether the row of slot j starts from the initial state.
inline bool begins(const Rows& rows, const Step& step, int64_t j) {
  return j >= step.before_count || (rows.reset != nullptr && rows.reset[step.first + j] != 0);
}

// function(step, slot) for every row of some steps, in the order of processing.
template <class F> inline void for_rows(const Rows& rows, int64_t start, int64_t end, F&& function) {
  for (int64_t s = start; s < end; ++s) {
    const Step step = step_at(rows, s);
    for (int64_t j = 0; j < step.count; ++j) function(step, j);
  }
}

// Where the rows of some steps lie: they are neighbours.
struct Stretch {
  int64_t first, count;
};
inline Stretch stretch_of(const Rows& rows, int64_t start, int64_t end) {
  const Step a = step_at(rows, start), b = step_at(rows, end - 1);
  const int64_t first = min(a.first, b.first);
  return {first, max(a.first + a.count, b.first + b.count) - first};
}

// function(slot, row) with the row of each sequence's last step, -1 for one without a step.
template <class F> inline void for_last_rows(const Rows& rows, F&& function) {
  for (int64_t j = rows.slots - 1, length = 0; j >= 0; --j) {
    while (length < rows.steps && rows.sizes[length] > j) ++length;
    function(j, length == 0 ? -1 : rows.starts[rows.reverse ? 0 : length - 1] + j);
  }
}

// Where the inputs of `count` rows from `first` on lie.
template <class F, class T> inline void list_inputs(int64_t first, int64_t count, F&& x, const T** found) {
  for (int64_t i = 0; i < count; ++i) found[i] = x(first + i);
}

// Where the states before the rows of some steps lie, counted from row `origin`: h0(slot) or y(row).
template <class H, class Y, class T>
inline void list_before(const Rows& rows, int64_t start, int64_t end, int64_t origin, H&& h0, Y&& y, const T** found) {
  for_rows(rows, start, end, [&](const Step& step, int64_t j) {
    found[step.first + j - origin] = begins(rows, step, j) ? h0(j) : y(step.before + j);
  });
}

// The rows of some steps that start from the initial state, counted from row `origin`, and their slots.
inline int64_t list_fresh(const Rows& rows, int64_t start, int64_t end, int64_t origin, int64_t* places,
                          int64_t* slots) {
  int64_t count = 0;
  for (int64_t s = start; s < end; ++s) {
    const Step step = step_at(rows, s);
    for (int64_t j = rows.reset == nullptr ? step.before_count : 0; j < step.count; ++j)
      if (begins(rows, step, j)) places[count] = step.first + j - origin, slots[count++] = j;
  }
  return count;
}

inline int64_t longest_chunk(const Rows& rows, int64_t wanted) {
  return min(rows.total, max(wanted, rows.steps > 0 ? rows.sizes[0] : 0));
}

// The end of the chunk of steps that begins at step s: as many steps as fit in `most` rows, at least one.
inline int64_t chunk_end(const Rows& rows, int64_t s, int64_t most) {
  int64_t total = step_at(rows, s).count;
  for (++s; s < rows.steps && total + step_at(rows, s).count <= most; ++s) total += step_at(rows, s).count;
  return s;
}

// The first step of the chunk of steps that ends before step `end`.
inline int64_t chunk_start(const Rows& rows, int64_t end, int64_t most) {
  int64_t total = step_at(rows, end - 1).count;
  for (--end; end > 0 && total + step_at(rows, end - 1).count <= most; --end) total += step_at(rows, end - 1).count;
  return end;
}

// Members share the work by slots (each takes its own through all of time and waits for nobody) or by units (each takes some
// panels of all slots and waits for the others at every step).
template <class Cell> struct Share {
  bool by_slots;
  int id, count;
  // Neighbours that one member takes: rows of two members side by side would have their processors fetch each other's. Of
  // equal lengths a part of all; of unequal ones, the longest first, blocks that go to members there and back again, so
  // that none has the longer half.
  int64_t block;

  // `most`: bytes of recurrent weights up to which each member may read them all.
  Share(const Rows& rows, int64_t units, int id, int count, int64_t most = 640 << 10) : id(id), count(count) {
    using W = Layout<Cell>;
    const int64_t bytes = W::panels(units) * W::C * W::L * W::words(units) * static_cast<int64_t>(sizeof(typename W::N));
    by_slots = count > 1 && rows.slots >= 4 * count && bytes <= most;
    const bool equal = rows.steps > 0 && rows.sizes[rows.steps - 1] == rows.slots;
    block = equal ? blocks(rows.slots, count) : max(1, min(4, rows.slots / (4 * count)));
  }
  bool by_units() const { return count > 1 && !by_slots; }
  int owner(int64_t slot) const {
    const int turn = static_cast<int>(slot / block % (2 * count));
    return turn < count ? turn : 2 * count - 1 - turn;
  }
  int64_t first_slot() const { return by_slots ? id * block : 0; }
  int64_t next_slot(int64_t slot) const {
    if (!by_slots || (slot + 1) % block != 0) return slot + 1;
    const bool there = slot / block % (2 * count) == id;
    return slot + 1 + block * (there ? 2 * (count - 1 - id) : 2 * id);
  }
  // Of `panels` panels, where this member's begin (`which` = id) or end (id + 1) in a recurrence.
  int64_t panel(int64_t panels, int which) const { return by_slots ? (which == id ? 0 : panels) : even(panels, which); }
  // Of any number of things to be done once, where those of member `which` begin.
  int64_t even(int64_t things, int which) const { return things * which / count; }
};

// How many threads are worth their meeting: none of less than some ten microseconds of work each.
template <class Cell> int members_for(int64_t inputs, int64_t units, const Rows& rows, int most) {
  const double step = rows.steps > 0 ? static_cast<double>(rows.total) / static_cast<double>(rows.steps) : 0;
  const double products = static_cast<double>(Cell::G) * static_cast<double>((Cell::dense ? units : 0) * units + units * inputs);
  if (most < 2 || products * static_cast<double>(rows.total) < 1e6) return 1;
  if (rows.slots >= 4 * most) return most;
  return step * products < 3e4 ? 1 : most;
}

// Space after space, each on a cache line of its own; from no beginning it only counts.
struct Carver {
  char* base;
  int64_t used = 0;
  template <class T> T* take(int64_t count) {
    T* found = base == nullptr ? nullptr : reinterpret_cast<T*>(base + used);
    used += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return found;
  }
};

// A carried gradient goes over to what it belongs to.
template <class T> inline void hand_over(T* carried, T* target, int64_t from, int64_t to) {
  for (int64_t u = from; u < to; ++u) target[u] += carried[u], carried[u] = T(0);
}

template <class T> inline void clear(T* from, int64_t count) {
  if (count > 0) std::memset(from, 0, static_cast<size_t>(count) * sizeof(T));
}

template <class T> inline void copy(const T* from, T* to, int64_t count) {
  if (count > 0) std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
}

// function(Count<n>{}) for a number of rows n from 1 to R.
template <int N> struct Count {
  static constexpr int value = N;
};
template <int R, class F> inline void with_rows(int n, F&& function) {
  if constexpr (R > 1) {
    if (n < R) return with_rows<R - 1>(n, function);
  }
  function(Count<R>{});
}

// Cuts `count` rows in nearly equal tiles of at most R: function(first, rows).
template <int R, class F> inline void in_tiles(int64_t count, F&& function) {
  const int64_t tiles = blocks(count, R);
  for (int64_t i = 0, at = 0; i < tiles; ++i) {
    const int64_t next = count * (i + 1) / tiles;
    function(at, static_cast<int>(next - at));
    at = next;
  }
}

}  // namespace ostinato::OSTINATO_ISA
