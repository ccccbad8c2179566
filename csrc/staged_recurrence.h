// Cells whose step has several stages, backward through time: the stages of staged_forward.h in reverse.
//
//   from_h      the product of the next step's gradients with W_hh gives dL/dh; then as far as the cell goes without one
//   from_inner  a second product, W_hr' dL/dh or W_hn' dL/dn, and the rest of the cell
//   through_c   with normalisation of c: the way through it and the gates
//   through_h   with normalisation: the way through that of the state's product
#pragma once

#include "staged_space.h"

namespace ostinato::OSTINATO_ISA {

template <class Cell> class StagedRecurrence {
 protected:
  using T = typename Cell::Number;
  using Space = StagedBackwardSpace<Cell>;
  using Input = Layout<typename Cell::Input>;
  using Hidden = Layout<typename Cell::Hidden>;
  static constexpr int L = lanes<T>, S = Cell::S, D = Cell::D, N = Cell::N, wide = Input::wide,
                       wide_rows = Input::wide_rows, width = wide * L;

  const Backward& b;
  const Member& member;
  Stages<Cell> stages;
  const Share<typename Cell::Hidden> share;
  const Space space;
  const bool low;
  const int64_t outputs, vectors;
  const T* const parameters;
  int64_t chunk_first = 0;  // of all rows, the first of the chunk

  const T* h0(int64_t slot) const { return static_cast<const T*>(b.h0) + slot * outputs; }
  const T* c0(int64_t slot) const { return static_cast<const T*>(b.c0) + slot * b.units; }
  const T* x(int64_t row) const { return static_cast<const T*>(b.x) + b.rows.place(row) * b.inputs; }
  const T* y(int64_t row) const { return static_cast<const T*>(b.y) + b.rows.place(row) * b.y_stride; }
  const T* dy(int64_t row) const { return static_cast<const T*>(b.dy) + b.rows.place(row) * b.dy_stride; }
  const T* c(int64_t row) const { return static_cast<const T*>(b.c) + row * b.units; }
  T* gradient(int64_t place) const { return space.gradients + place * D * L; }
  int64_t gradient_vector() const { return space.places * D * L; }
  T* carry(int64_t slot) const { return space.carry + slot * space.carry_row; }
  T* carry_h(int64_t slot) const { return space.carry_h + slot * space.carry_row; }
  T* line(int64_t place) const { return space.lines + place * space.line_row; }
  T* record(int64_t row) const {
    return low ? space.records + (row - chunk_first) * S * L
               : const_cast<T*>(static_cast<const T*>(b.saved)) + row * S * L;
  }
  T* norm(int64_t row) const {
    return low ? space.norms + (row - chunk_first) * N
               : const_cast<T*>(static_cast<const T*>(b.saved)) + vectors * b.rows.total * S * L + row * N;
  }
  int64_t after(int64_t slot) const { return space.chunk + slot; }
  int64_t nothing() const { return space.chunk + b.rows.slots; }
  int64_t mine(int64_t things, int which) const { return share.even(things, share.id + which); }
  void meet() const {
    if (share.by_units()) member.sync();
  }
  int count_at(int64_t v, int64_t size) const { return in_vector<T>(size - v * L); }

  StagedRecurrence(const Backward& b, const Member& member, char* scratch)
      : b(b), member(member), stages(b.inputs, b.units, b.weights, b.outputs, b.noise),
        share(b.rows, b.units, member.id, member.count, staged_bytes),
        space(b, stages, member.id, member.count, scratch), low(b.saved == nullptr), outputs(stages.outputs),
        vectors(stages.vectors), parameters(stages.parameters) {
    stages.keep = true, stages.record_vector = space.record_vector;
  }

  // The records of a chunk from its inputs and states, each member an even part of the rows.
  void compute_again(int64_t start, int64_t end, int64_t total) {
    const int64_t from = mine(total, 0), to = mine(total, 1);
    int64_t count = 0, seen = 0;
    for_rows(b.rows, start, end, [&](const Step& step, int64_t j) {
      if (seen++ < from || seen > to) return;
      const bool fresh = begins(b.rows, step, j);
      StagedRow<T>& row = space.again[count];
      row.h = fresh ? h0(j) : y(step.before + j);
      if constexpr (Cell::has_c) row.c = fresh ? c0(j) : c(step.before + j);
      row.record = record(step.first + j), row.norm = norm(step.first + j);
      row.y = space.unread, row.c_after = space.unread + outputs;
      row.line = space.again_lines + count * stages.line();
      row.cell = space.again_cells + count * stages.line();
      row.moments = space.again_moments + count * lane_size<Cell>(vectors);
      if (b.noise.on) row.keys = keys_of(b.noise, step.time, j);
      if (++count == Space::block) run_again(count), count = 0;
    });
    run_again(count);
    member.sync();
  }

  void run_again(int64_t count) {
    constexpr int R = Input::R;
    for (int64_t v = 0; v < vectors; ++v)
      in_tiles<R>(count, [&](int64_t at, int n) {
        const T* x[R];
        T *records[R], *moments[R];
        for (int r = 0; r < n; ++r) {
          const StagedRow<T>& row = space.again[at + r];
          const int64_t place = (row.record - space.records) / (S * L);
          x[r] = this->x(chunk_first + place);
          records[r] = row.record, moments[r] = row.moments;
        }
        stages.project(x, records, moments, n, v);
      });
    if constexpr (Cell::groups > 0)
      stages.normalise(
          count, Cell::input_groups, [&](int64_t i) { return space.again[i].moments; },
          [&](int64_t i) { return space.again[i].norm; });
    const Range whole{0, vectors, 0, stages.last_panels};
    stages.run(space.again, count, whole, nullptr);
  }

  int64_t list_step(const Step& step, int64_t s, bool last_of_chunk, int64_t& following) {
    const Step next = s + 1 == b.rows.steps ? Step{} : step_at(b.rows, s + 1);
    int64_t count = 0;
    following = 0;  // rows up to the last one that has a next step
    for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j), ++count) {
      const int64_t row = step.first + j;
      const bool ends = j >= next.count, follows = !ends && !begins(b.rows, next, j), fresh = begins(b.rows, step, j);
      StagedBackRow<T>& to = space.rows[count];
      to.next = gradient(follows ? (last_of_chunk ? after(j) : next.first + j - chunk_first) : nothing());
      to.dy = b.dy == nullptr ? nullptr : dy(row);
      to.dhn = ends && b.dhn != nullptr ? static_cast<const T*>(b.dhn) + j * outputs : nullptr;
      to.record = record(row), to.norm = norm(row);
      const bool more = j < step.before_count && step.before >= chunk_first;
      to.soon = more ? record(step.before + j) : to.record;
      to.dy_soon = more && to.dy != nullptr ? dy(step.before + j) : to.dy;
      to.h = fresh ? h0(j) : y(step.before + j);
      if constexpr (Cell::has_c) to.c = fresh ? c0(j) : c(step.before + j);
      to.carry = carry(j);
      to.gradient = gradient(row - chunk_first);
      to.line = line(row - chunk_first);
      to.slopes = space.slopes + j * space.slope_row, to.c_slopes = space.c_slopes + j * vectors * 2 * L;
      to.x_slopes = space.x_slopes + (row - chunk_first) * Cell::groups * 2;
      if (b.noise.on) {
        to.carry_h = carry_h(j);
        to.keys = keys_of(b.noise, step.time, j);
      }
      if (follows) following = count + 1;
    }
    return count;
  }

  void step(int64_t s, bool last_of_chunk) {
    const Step step = step_at(b.rows, s);
    int64_t following;
    const int64_t count = list_step(step, s, last_of_chunk, following);
    run_stages(count, following);
    const int64_t from = share.panel(Input::wide_panels(b.units), share.id) * width,
                  to = min(b.units, share.panel(Input::wide_panels(b.units), share.id + 1) * width),
                  h_from = share.panel(Hidden::wide_panels(outputs), share.id) * width,
                  h_to = min(outputs, share.panel(Hidden::wide_panels(outputs), share.id + 1) * width);
    for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j)) {
      if (!begins(b.rows, step, j)) continue;
      hand_over(carry(j), static_cast<T*>(Cell::has_c ? b.dc0 : b.dh0) + j * b.units, from, to);
      if (Cell::has_c && b.noise.on) hand_over(carry_h(j), static_cast<T*>(b.dh0) + j * outputs, h_from, h_to);
    }
    meet();
  }

  // function(rows, their number, wide panel) for the tiles of this member's panels of `columns` columns.
  template <class F> void in_wide(int64_t columns, int64_t count, F&& function) const {
    const int64_t panels = Input::wide_panels(columns);
    for (int64_t q = share.panel(panels, share.id); q < share.panel(panels, share.id + 1); ++q)
      in_tiles<wide_rows>(count, [&](int64_t at, int n) { function(space.rows + at, at, n, q); });
  }

  // function(number of the row, unit vector) for this member's unit vectors.
  template <class F> void in_units(int64_t count, F&& function) const {
    const int64_t panels = Input::wide_panels(b.units), last = share.panel(panels, share.id + 1);
    for (int64_t v = share.panel(panels, share.id) * wide; v < min(vectors, last * wide); ++v)
      for (int64_t i = 0; i < count; ++i) function(i, v);
  }

  // The sums of n rows of gradients times a wide panel: Part's side, from vector `from` of each record on.
  template <class Part_>
  void product(const T* const* rows, int n, int from, const T* weights, int64_t q, vec<T>* sums) const {
    const Side side{vectors, gradient_vector(), from * L, 1, 0, Part_::G * L};
    with_rows<wide_rows>(n, [&](auto tile) {
      back_product<T, decltype(tile)::value, wide>(rows, side, weights + q * Layout<Part_>::depth(b.units) * width, sums);
    });
  }

  void run_stages(int64_t count, int64_t following) {
    in_wide(outputs, count, [&](const StagedBackRow<T>* rows, int64_t at, int n, int64_t q) {
      vec<T> sums[wide_rows * wide];
      if (at < following) {
        const T* next[wide_rows];
        for (int r = 0; r < n; ++r) next[r] = rows[r].next;
        product<typename Cell::Hidden>(next, n, Cell::hidden_at, space.h_panels, q, sums);
      } else {
        std::memset(sums, 0, sizeof sums);
      }
      for (int w = 0; w < wide && (q * wide + w) * L < outputs; ++w)
        for (int r = 0; r < n; ++r) from_h(rows[r], sums[r * wide + w], q * wide + w);
    });
    if (stages.last_units > 0) {
      meet();
      in_wide(b.units, count, [&](const StagedBackRow<T>* rows, int64_t, int n, int64_t q) {
        vec<T> sums[wide_rows * wide];
        const T* lines[wide_rows];
        for (int r = 0; r < n; ++r) lines[r] = Cell::twice ? rows[r].slopes : rows[r].line;
        product_rows<wide>(lines, n, space.last_panels + q * Layout<Part<T, 1, 1>>::depth(space.inner) * width,
                           space.inner, sums);
        for (int w = 0; w < wide && q * wide + w < vectors; ++w)
          for (int r = 0; r < n; ++r) from_inner(rows[r], sums[r * wide + w], q * wide + w);
      });
    }
    if constexpr (Cell::groups > 0) {
      if constexpr (Cell::has_c) {
        meet();
        reduce(count, b.units, [&](int64_t i) { return space.rows[i].c_slopes; }, [&](int64_t i) { return space.found + 2 * i; });
        in_units(count, [&](int64_t i, int64_t v) { through_c(space.rows[i], v, space.found + 2 * i); });
      }
      meet();
      for (int k = 0; k < Cell::groups; ++k) {
        const auto lanes_of = [&](int k) { return [&, k](int64_t i) { return space.rows[i].slopes + k * vectors * 2 * L; }; };
        reduce(count, b.units * Cell::hidden_groups[k].count, lanes_of(k),
               [&](int64_t i) { return space.found + 2 * (i * Cell::groups + k); });
        if (share.by_slots || share.id == 0)
          reduce(count, b.units * Cell::input_groups[k].count, lanes_of(Cell::groups + k),
                 [&](int64_t i) { return space.rows[i].x_slopes + 2 * k; });
      }
      in_units(count, [&](int64_t i, int64_t v) { through_h(space.rows[i], v, space.found + 2 * i * Cell::groups); });
    }
  }

  // From lanes' sums to the slopes of each row.
  template <class From, class To> void reduce(int64_t count, int64_t numbers, From&& from, To&& to) const {
    in_lanes<T>(count, [&](int64_t at, int n) {
      const T* sums[L];
      T* slopes[L];
      for (int i = 0; i < n; ++i) sums[i] = from(at + i), slopes[i] = to(at + i);
      row_slopes<T>(sums, n, vectors, numbers, slopes);
    });
  }

  Place<T> place(const StagedBackRow<T>& row, int64_t v) const {
    Place<T> at{row.record + v * space.record_vector, row.norm, parameters + v * Cell::A * L, {}};
    const int count = count_at(v, b.units);
    if constexpr (Cell::sees_h) at.before.h = load(row.h + v * L, count);
    if constexpr (Cell::has_c) at.before.c = load(row.c + v * L, count);
    at.before.keep = b.noise.on ? kept<T>(b.noise, row.keys, v * L) : all<T>(T(1));
    return at;
  }

  // All of dL/dh of one unit vector, of which `dh` comes through the next step's products; and what follows from it.
  void from_h(const StagedBackRow<T>& row, vec<T> dh, int64_t v) {
    const int count = count_at(v, outputs);
    for (int i = 0; i < S; ++i) __builtin_prefetch(row.soon + v * space.record_vector + i * L);
    if (row.dy != nullptr) __builtin_prefetch(row.dy_soon + v * L);
    if (row.dy != nullptr) dh += load(row.dy + v * L, count);
    if (row.dhn != nullptr) dh += load(row.dhn + v * L, count);
    if constexpr (!Cell::has_c) dh += load(row.carry + v * L);
    vec<T> held{};
    if (b.noise.on) {
      if constexpr (Cell::has_c) dh += load(row.carry_h + v * L);
      dh = unzoned<T>(b.noise, row.keys.h, b.noise.hold_h, b.noise.share_h, v * L, dh, held);
      if constexpr (Cell::has_c) store(row.carry_h + v * L, held);
    }
    if (stages.projects()) {
      store(row.line + v * L, dh);
    } else if constexpr (Cell::has_c) {
      from_inner(row, dh, v);
    } else {
      const Place<T> at = place(row, v);
      T* to = row.gradient + v * gradient_vector();
      vec<T> carried;
      if constexpr (Cell::twice) {
        store(row.slopes + v * L, only<T>(Cell::backward(at, dh, carried, to), count));
        store(row.line + v * L, load(at.record) * at.before.h);
      } else {
        Cell::backward(at, dh, carried, to);
        add_slopes(row, at, v);
      }
      store(row.carry + v * L, carried + held);
    }
  }

  // From the gradient of what the last product gave, or of what an LSTM puts out.
  void from_inner(const StagedBackRow<T>& row, vec<T> d, int64_t v) {
    T* to = row.gradient + v * gradient_vector();
    if constexpr (Cell::twice) {
      const vec<T> h = load(row.h + v * L, count_at(v, b.units));
      store(row.carry + v * L, load(row.carry + v * L) + Cell::unreset(row.record + v * space.record_vector, h, d, to));
    } else if constexpr (Cell::groups > 0 && Cell::has_c) {
      Cell::backward(place(row, v), d, to, row.c_slopes + v * 2 * L);
    } else if constexpr (Cell::has_c) {
      through_cell(row, v, [&](const Place<T>& at, vec<T>& carried) {
        Cell::backward(at, d, carried, to);
      });
    }
    // Beyond the last unit 0 may have met infinity; the products of the step before sum over those lanes too. A norm
    // would have made the whole row NaN.
    const int count = count_at(v, b.units);
    if (Cell::groups == 0 && count < L)
      for (int i = 0; i < D; ++i) store(to + i * L, only<T>(load(to + i * L), count));
  }

  // function(place, carried) turns dL/dc into that of the c before, past which zoneout leads.
  template <class F> void through_cell(const StagedBackRow<T>& row, int64_t v, F&& function) {
    vec<T> held{}, carried = load(row.carry + v * L);
    if (b.noise.on)
      carried = unzoned<T>(b.noise, row.keys.c, b.noise.hold_c, b.noise.share_c, v * L, carried, held);
    function(place(row, v), carried);
    store(row.carry + v * L, carried + held);
  }

  void through_c(const StagedBackRow<T>& row, int64_t v, const T* slope) {
    through_cell(row, v, [&](const Place<T>& at, vec<T>& carried) {
      Cell::through_c(at, slope, carried, row.gradient + v * gradient_vector());
      add_slopes(row, at, v);
    });
  }

  // The lanes' sums that the ways through the normalisations of both products need.
  void add_slopes(const StagedBackRow<T>& row, const Place<T>& at, int64_t v) const {
    const T* from = row.gradient + v * gradient_vector();
    for (int k = 0; k < Cell::groups; ++k) {
      T* to = row.slopes + (k * vectors + v) * 2 * L;
      group_slopes<Cell::Input::G>(Cell::hidden_groups[k], Cell::before_norm, Cell::hidden_gain,
                                   at.norm + 2 * (Cell::groups + k), at, from, to);
      group_slopes<0>(Cell::input_groups[k], in_order, Cell::input_gain, at.norm + 2 * k, at, from,
                      to + Cell::groups * vectors * 2 * L);
    }
  }

  static constexpr int in_order[] = {0, 1, 2, 3};

  // Of vectors with their gradients at places[i] of `from`: sum of d = gain * gradient, and of d times normalised.
  template <int first>
  static void group_slopes(const Group& group, const int* places, int gain, const T* moments, const Place<T>& at,
                           const T* from, T* to) {
    vec<T> plain{}, along{};
    for (int i = group.first; i < group.first + group.count; ++i) {
      const vec<T> d = load(from + places[i] * L) * load(at.parameters + (gain + i) * L);
      plain += d;
      along += d * normal<T>(at.record, first + i, moments);
    }
    store(to, plain);
    store(to + L, along);
  }

  // The gradients of a group's product, from those of what it was normalised to.
  template <int first>
  static void unnormalise(const Group& group, const int* places, int gain, const T* moments, const T* slope,
                          const Place<T>& at, const T* from, T* to) {
    for (int i = group.first; i < group.first + group.count; ++i) {
      const vec<T> d = load(from + places[i] * L) * load(at.parameters + (gain + i) * L);
      store(to + i * L, (d - slope[0] - normal<T>(at.record, first + i, moments) * slope[1]) * moments[1]);
    }
  }

  void through_h(const StagedBackRow<T>& row, int64_t v, const T* slopes) const {
    const Place<T> at{row.record + v * space.record_vector, row.norm, parameters + v * Cell::A * L, {}};
    T* d = row.gradient + v * gradient_vector();
    for (int k = 0; k < Cell::groups; ++k)
      unnormalise<Cell::Input::G>(Cell::hidden_groups[k], Cell::before_norm, Cell::hidden_gain,
                                  at.norm + 2 * (Cell::groups + k), slopes + 2 * k, at, d, d + Cell::hidden_at * L);
  }

  // The same for the input's product, when nothing else is left to read its gradients.
  void through_x(const Place<T>& at, const T* slopes, T* d) const {
    for (int k = 0; k < Cell::groups; ++k)
      unnormalise<0>(Cell::input_groups[k], in_order, Cell::input_gain, at.norm + 2 * k, slopes + 2 * k, at, d, d);
  }
  T* at_row(int64_t row, int64_t v) const { return gradient(row - chunk_first) + v * gradient_vector(); }
  Place<T> place_of(int64_t row, int64_t v) const {
    Place<T> at{record(row) + v * space.record_vector, norm(row), parameters + v * Cell::A * L, {}};
    return at;
  }
};

}  // namespace ostinato::OSTINATO_ISA
