// Cells whose step has several stages, forward.
#pragma once

#include "stages.h"

namespace ostinato::OSTINATO_ISA {

// Recurrent weights up to which members share by slots: each meeting saved is worth reading more of them.
inline constexpr int64_t staged_bytes = 1 << 20;

template <class Cell> struct StagedForwardSpace {
  using T = typename Cell::Number;
  static constexpr int L = lanes<T>;
  int64_t chunk, record_vector, bytes;
  // Of a chunk, and of this member alone where members share by slots, since these do not wait for each other. Records
  // only where none are kept.
  T *records, *norms, *moments;
  T *slot_moments, *lines, *cells;
  T* my_norms;  // this member's, for each slot
  int64_t* list;
  StagedRow<T>* rows;

  using Sharing = Share<typename Cell::Hidden>;
  static Sharing share(const Forward& f, int member, int members) {
    return {f.rows, f.units, member, members, staged_bytes};
  }

  StagedForwardSpace(const Forward& f, Stages<Cell>& stages, int member, int members, char* scratch) {
    const int64_t vectors = stages.vectors, row = vectors * L * Cell::S;
    chunk = longest_chunk(f.rows, max(64, (512 << 10) / (row * static_cast<int64_t>(sizeof(T)))));
    const bool keep = f.saved != nullptr;
    record_vector = (keep ? f.rows.total : chunk) * Cell::S * L;
    Carver carver{scratch};
    stages.take(carver, true);
    const bool apart = share(f, member, members).by_slots;
    for (int i = 0; i < (apart ? members : 1); ++i) {
      T* its_records = carver.take<T>(keep ? 0 : chunk * row);
      T* its_norms = carver.take<T>(chunk * Cell::N);
      T* its_moments = carver.take<T>(Cell::groups > 0 ? chunk * lane_size<Cell>(vectors) : 0);
      if (i == member || !apart) records = its_records, norms = its_norms, moments = its_moments;
    }
    slot_moments = carver.take<T>(Cell::groups > 0 ? f.rows.slots * lane_size<Cell>(vectors) : 0);
    lines = carver.take<T>(f.rows.slots * stages.line());
    cells = carver.take<T>(Cell::groups > 0 && Cell::has_c ? f.rows.slots * stages.line() : 0);
    for (int i = 0; i < members; ++i) {
      int64_t* its_list = carver.take<int64_t>(chunk);
      StagedRow<T>* its_rows = carver.take<StagedRow<T>>(f.rows.slots);
      T* its_slot_norms = carver.take<T>(f.rows.slots * Cell::N);
      if (i == member) list = its_list, rows = its_rows, my_norms = its_slot_norms;
    }
    bytes = carver.used;
  }
};

template <class Cell> class StagedForwardPass {
  using T = typename Cell::Number;
  static constexpr int L = lanes<T>, N = Cell::N;

  const Forward& f;
  const Member& member;
  Stages<Cell> stages;
  const typename StagedForwardSpace<Cell>::Sharing share;
  const StagedForwardSpace<Cell> space;
  const bool keep, keep_c;  // the records, and the cell states, for backward
  const Range range;
  int64_t chunk_first = 0;

  const T* x(int64_t row) const { return static_cast<const T*>(f.x) + f.rows.place(row) * f.inputs; }
  const T* h0(int64_t slot) const { return static_cast<const T*>(f.h0) + slot * stages.outputs; }
  const T* c0(int64_t slot) const { return static_cast<const T*>(f.c0) + slot * f.units; }
  T* y(int64_t row) const { return static_cast<T*>(f.y) + f.rows.place(row) * f.y_stride; }
  T* cn(int64_t slot) const { return static_cast<T*>(f.cn) + slot * f.units; }
  T* c(int64_t row) const { return static_cast<T*>(f.c) + row * f.units; }
  T* record(int64_t row) const {
    return keep ? static_cast<T*>(f.saved) + row * Cell::S * L : space.records + (row - chunk_first) * Cell::S * L;
  }
  T* saved_norm(int64_t row) const {
    return static_cast<T*>(f.saved) + stages.vectors * f.rows.total * Cell::S * L + row * N;
  }

 public:
  StagedForwardPass(const Forward& f, const Member& member, char* scratch)
      : f(f), member(member), stages(f.inputs, f.units, f.weights, f.outputs, f.noise),
        share(StagedForwardSpace<Cell>::share(f, member.id, member.count)),
        space(f, stages, member.id, member.count, scratch), keep(f.saved != nullptr), keep_c(f.c != nullptr),
        range{share.panel(stages.vectors, share.id), share.panel(stages.vectors, share.id + 1),
              share.panel(stages.last_panels, share.id), share.panel(stages.last_panels, share.id + 1)} {
    stages.keep = keep, stages.record_vector = space.record_vector;
  }

  void run() {
    stages.pack(f.weights, share, true);
    if (Cell::has_c && !keep_c)
      for (int64_t j = share.id; j < f.rows.slots; j += share.count) copy(c0(j), cn(j), f.units);
    member.sync();
    for (int64_t s = 0; s < f.rows.steps;) {
      const int64_t end = chunk_end(f.rows, s, space.chunk);
      chunk_first = stretch_of(f.rows, s, end).first;
      project(s, end);
      for (; s < end; ++s) {
        const int64_t count = list_step(s);
        stages.run(space.rows, count, range, share.by_units() ? &member : nullptr);
        if (N > 0 && keep && (share.by_slots || share.id == 0))
          for (int64_t i = 0; i < count; ++i) copy(space.rows[i].norm, saved_norm_of(space.rows[i]), N);
      }
    }
    finish();
  }

 private:
  T* saved_norm_of(const StagedRow<T>& row) const {
    return saved_norm((row.record - static_cast<T*>(f.saved)) / (Cell::S * L));
  }

  // The input product of this member's rows of a chunk, and what it is normalised by.
  void project(int64_t s, int64_t end) {
    const int64_t lane = lane_size<Cell>(stages.vectors);
    int64_t count = 0;
    for (; s < end; ++s) {
      const Step step = step_at(f.rows, s);
      for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j)) space.list[count++] = step.first + j;
    }
    constexpr int R = Layout<typename Cell::Input>::R;
    for (int64_t v = range.first; v < range.last; ++v)
      in_tiles<R>(count, [&](int64_t first, int n) {
        const T* from[R];
        T *to[R], *moments[R];
        for (int r = 0; r < n; ++r) {
          const int64_t row = space.list[first + r];
          from[r] = x(row), to[r] = record(row), moments[r] = space.moments + (row - chunk_first) * lane;
        }
        stages.project(from, to, moments, n, v);
      });
    if constexpr (Cell::groups > 0) {
      if (share.by_units()) member.sync();
      const int64_t from = share.by_slots ? 0 : share.even(count, share.id),
                    to = share.by_slots ? count : share.even(count, share.id + 1);
      const auto at = [&](int64_t i) { return space.list[from + i] - chunk_first; };
      stages.normalise(
          to - from, Cell::input_groups, [&](int64_t i) { return space.moments + at(i) * lane; },
          [&](int64_t i) { return space.norms + at(i) * N; });
      if (share.by_units()) member.sync();
    }
  }

  int64_t list_step(int64_t s) {
    const Step step = step_at(f.rows, s);
    int64_t count = 0;
    for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j), ++count) {
      const int64_t row = step.first + j;
      StagedRow<T>& to = space.rows[count];
      const bool fresh = begins(f.rows, step, j);
      to.h = fresh ? h0(j) : y(step.before + j);
      to.record = record(row);
      to.y = y(row);
      to.line = space.lines + j * stages.line();
      if constexpr (Cell::has_c) {
        to.c = fresh ? c0(j) : keep_c ? c(step.before + j) : cn(j);
        to.c_after = keep_c ? c(row) : cn(j);
      }
      if constexpr (Cell::groups > 0) {
        to.cell = space.cells + j * stages.line();
        to.moments = space.slot_moments + j * lane_size<Cell>(stages.vectors);
        to.norm = space.my_norms + j * N;
        copy(space.norms + (row - chunk_first) * N, to.norm, 2 * Cell::groups);
      }
      if (f.noise.on) to.keys = keys_of(f.noise, step.time, j);
    }
    return count;
  }

  // The state after each sequence's last step; of a sequence without a step, the initial one.
  void finish() {
    for_last_rows(f.rows, [&](int64_t j, int64_t row) {
      if (share.owner(j) != share.id) return;
      copy<T>(row < 0 ? h0(j) : y(row), static_cast<T*>(f.hn) + j * stages.outputs, stages.outputs);
      if (Cell::has_c && keep_c) copy<T>(row < 0 ? c0(j) : c(row), cn(j), f.units);
    });
  }
};

template <class Cell> void staged_forward(const Forward& f, const Member& member, char* scratch) {
  StagedForwardPass<Cell>(f, member, scratch).run();
}

template <class Cell> int64_t staged_forward_scratch(const Forward& f, int members) {
  Stages<Cell> stages(f.inputs, f.units, f.weights, f.outputs, f.noise);
  return StagedForwardSpace<Cell>(f, stages, 0, members, nullptr).bytes;
}

// Records of every row and unit vector, and beside them N numbers a row.
template <class Cell> int64_t staged_saved_size(int64_t units, int64_t total) {
  constexpr int L = lanes<typename Cell::Number>;
  return total * (blocks(units, L) * Cell::S * L + Cell::N);
}

}  // namespace ostinato::OSTINATO_ISA
