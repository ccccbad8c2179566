// Cells whose step has several stages, backward: in chunks of time first the recurrence, then what nothing waits for: sums of
// parameters, the way through the normalisation of the input's product, dL/dx, dL/dh0, and the gradients of matrices.
#pragma once

#include "staged_recurrence.h"

namespace ostinato::OSTINATO_ISA {

template <class Cell> class StagedBackwardPass : StagedRecurrence<Cell> {
  using Base = StagedRecurrence<Cell>;
  using typename Base::Hidden;
  using typename Base::Input;
  using typename Base::Space;
  using typename Base::T;
  using Base::b, Base::member, Base::stages, Base::share, Base::space, Base::low, Base::outputs, Base::vectors,
      Base::chunk_first, Base::parameters;
  using Base::carry, Base::carry_h, Base::gradient, Base::gradient_vector, Base::mine, Base::nothing, Base::after, Base::h0,
      Base::c0, Base::y, Base::c, Base::count_at;
  using Base::L, Base::D, Base::N, Base::wide, Base::wide_rows, Base::width;

 public:
  StagedBackwardPass(const Backward& b, const Member& member, char* scratch) : Base(b, member, scratch) {}

  void run() {
    prepare();
    for (int64_t end = b.rows.steps; end > 0;) {
      const int64_t start = chunk_start(b.rows, end, space.chunk);
      const auto [origin, count] = stretch_of(b.rows, start, end);
      const Step first = step_at(b.rows, start);
      chunk_first = origin;
      if (low) this->compute_again(start, end, count);
      for (int64_t s = end - 1; s >= start; --s) this->step(s, s + 1 == end);
      member.sync();
      into_initial(start, end);
      into_parameters(start, end);
      if (Cell::groups > 0) member.sync();
      into_input(count);
      into_weights(start, end, count);
      for (int64_t v = mine(vectors, 0); v < mine(vectors, 1); ++v)
        std::memmove(gradient(after(0)) + v * gradient_vector(),
                     gradient(first.first - chunk_first) + v * gradient_vector(),
                     static_cast<size_t>(first.count * D * L) * sizeof(T));
      member.sync();
      end = start;
    }
    finish();
  }

 private:
  void prepare() {
    const Weights& w = b.weights;
    stages.pack(w, share, low);
    const int64_t h_wide = Hidden::wide_panels(outputs), x_wide = Input::wide_panels(b.inputs),
                  last_wide = Input::wide_panels(b.units);
    pack_backward<typename Cell::Hidden>(static_cast<const T*>(w.hh), b.units, outputs, Cell::hidden_gates,
                                         space.h_panels, mine(h_wide, 0), mine(h_wide, 1));
    if (b.dx != nullptr)
      pack_backward<typename Cell::Input>(static_cast<const T*>(w.ih), b.units, b.inputs, Cell::input_gates,
                                          space.x_panels, mine(x_wide, 0), mine(x_wide, 1));
    if (stages.last_units > 0)
      pack_backward<Part<T, 1, 1>>(Stages<Cell>::last_matrix(w, b.units), space.inner, b.units, {0}, space.last_panels,
                                   mine(last_wide, 0), mine(last_wide, 1));
    for (int64_t v = mine(vectors, 0); v < mine(vectors, 1); ++v) {
      clear(space.dih + v * b.inputs * Input::C * L, b.inputs * Input::C * L);
      clear(space.dhh + v * outputs * Hidden::C * L, outputs * Hidden::C * L);
      clear(space.dparameters + v * Cell::A * L, Cell::A * L);
      clear(gradient(nothing()) + v * gradient_vector(), D * L);
    }
    if (share.id == share.count - 1 && stages.last_units > 0) {
      clear(space.dlast, Space::even(vectors) * L * space.inner);
      // The unit vector that only fills a panel of the last product.
      if (vectors % 2 != 0) clear(gradient(0) + vectors * gradient_vector(), gradient_vector());
    }
    const int64_t alive = b.rows.steps > 0 ? b.rows.sizes[0] : 0;
    for (int64_t j = share.id; j < b.rows.slots; j += share.count) {
      T *dh0 = static_cast<T*>(b.dh0) + j * outputs, *dc0 = static_cast<T*>(b.dc0) + j * b.units;
      clear(carry(j), space.carry_row);
      if (Cell::has_c && b.noise.on) clear(carry_h(j), space.carry_row);
      if (Cell::has_c && b.dcn != nullptr) copy(static_cast<const T*>(b.dcn) + j * b.units, carry(j), b.units);
      clear(dh0, outputs);
      if (Cell::has_c) clear(dc0, b.units);
      if (j < alive) continue;  // a sequence without a step ends in the state it begins with
      if (b.dhn != nullptr) copy(static_cast<const T*>(b.dhn) + j * outputs, dh0, outputs);
      if (Cell::has_c) copy(carry(j), dc0, b.units);
    }
    member.sync();
  }

  // dh0 of every row of the chunk that began with the initial state.
  void into_initial(int64_t start, int64_t end) {
    const int64_t count = list_fresh(b.rows, start, end, chunk_first, space.fresh, space.fresh_slot);
    const int64_t panels = Hidden::wide_panels(outputs);
    for (int64_t q = mine(panels, 0); q < mine(panels, 1); ++q)
      in_tiles<wide_rows>(count, [&](int64_t at, int n) {
        vec<T> sums[wide_rows * wide];
        const T* rows[wide_rows] = {};
        for (int r = 0; r < n; ++r) rows[r] = gradient(space.fresh[at + r]);
        this->template product<typename Cell::Hidden>(rows, n, Cell::hidden_at, space.h_panels, q, sums);
        for (int r = 0; r < n; ++r)
          for (int w = 0; w < wide; ++w) {
            const int some = count_at(q * wide + w, outputs);
            T* to = static_cast<T*>(b.dh0) + space.fresh_slot[at + r] * outputs + (q * wide + w) * L;
            store(to, load(to, some) + sums[r * wide + w], some);
          }
      });
  }

  void into_input(int64_t count) {
    if (b.dx == nullptr) return;
    const int64_t tiles = blocks(count, wide_rows), from = mine(tiles, 0) * wide_rows,
                  to = min(count, mine(tiles, 1) * wide_rows);
    for (int64_t q = 0; q < Input::wide_panels(b.inputs); ++q)
      in_tiles<wide_rows>(to - from, [&](int64_t at, int n) {
        vec<T> sums[wide_rows * wide];
        const T* rows[wide_rows] = {};
        for (int r = 0; r < n; ++r) rows[r] = gradient(from + at + r);
        this->template product<typename Cell::Input>(rows, n, 0, space.x_panels, q, sums);
        for (int r = 0; r < n; ++r)
          for (int w = 0; w < wide; ++w)
            store(static_cast<T*>(b.dx) + b.rows.place(chunk_first + from + at + r) * b.inputs + (q * wide + w) * L,
                  sums[r * wide + w], count_at(q * wide + w, b.inputs));
      });
  }

  // The gradients of parameters of units, sums over rows; the cell says of what. Then the way through the normalisation of
  // the input's product.
  void into_parameters(int64_t start, int64_t end) {
    for (int64_t v = mine(vectors, 0); v < mine(vectors, 1); ++v) {
      T* target = space.dparameters + v * Cell::A * L;
      vec<T> sum[Cell::A];
      for (int a = 0; a < Cell::A; ++a) sum[a] = load(target + a * L);
      for_rows(b.rows, start, end, [&](const Step& step, int64_t j) {
        Place<T> at = this->place_of(step.first + j, v);
        if constexpr (Cell::own)
          at.before.c = load((begins(b.rows, step, j) ? c0(j) : c(step.before + j)) + v * L, count_at(v, b.units));
        T* d = this->at_row(step.first + j, v);
        Cell::add(sum, d, at);
        if constexpr (Cell::groups > 0)
          this->through_x(at, space.x_slopes + (step.first + j - chunk_first) * Cell::groups * 2, d);
      });
      for (int a = 0; a < Cell::A; ++a) store(target + a * L, sum[a]);
    }
  }

  void into_weights(int64_t start, int64_t end, int64_t count) {
    list_inputs(chunk_first, count, [&](int64_t row) { return this->x(row); }, space.x_at);
    list_before(
        b.rows, start, end, chunk_first, [&](int64_t slot) { return h0(slot); }, [&](int64_t row) { return y(row); },
        space.h_at);
    if (stages.last_units > 0) list_inputs(0, count, [&](int64_t i) { return this->line(i); }, space.line_at);
    int x_place[Cell::Input::G], h_place[Cell::Hidden::G];
    for (int g = 0; g < Cell::Input::G; ++g) x_place[g] = g;
    for (int g = 0; g < Cell::Hidden::G; ++g) h_place[g] = Cell::hidden_at + g;
    const int pair[2] = {Cell::out_at, static_cast<int>(space.places) * D + Cell::out_at};
    add_outer(space.x_at, count, b.inputs, vectors, gradient_vector(), x_place, space.dih);
    add_outer(space.h_at, count, outputs, vectors, gradient_vector(), h_place, space.dhh);
    if (stages.last_units > 0)
      add_outer(space.line_at, count, space.inner, blocks(vectors, 2), 2 * gradient_vector(), pair, space.dlast);
  }

  // Adds the product of the columns of some rows with the gradients of each panel, each member some of all tiles.
  template <int C>
  void add_outer(const T* const* rows, int64_t count, int64_t columns, int64_t panels, int64_t panel,
                 const int (&place)[C], T* sums) const {
    constexpr int R = rows_of<C>;
    const int64_t tiles = blocks(columns, R);
    for (int64_t i = mine(panels * tiles, 0); i < mine(panels * tiles, 1); ++i) {
      const int64_t p = i / tiles, at = i % tiles * R;
      with_rows<R>(static_cast<int>(min(R, columns - at)), [&](auto tile) {
        outer_rows<T, decltype(tile)::value, C>(sums + (p * columns + at) * C * L, rows, count, at,
                                                gradient(0) + p * panel, D * L, place);
      });
    }
  }

  void finish() {
    const int64_t from = mine(vectors, 0), to = mine(vectors, 1);
    unpack_forward<typename Cell::Input>(space.dih, b.units, b.inputs, b.inputs, Cell::input_gates,
                                         static_cast<T*>(b.dih), from, to);
    unpack_forward<typename Cell::Hidden>(space.dhh, b.units, outputs, outputs, Cell::hidden_gates,
                                          static_cast<T*>(b.dhh), from, to);
    if constexpr (Cell::twice) {
      const int64_t panels = blocks(vectors, 2);
      unpack_forward<Part<T, 1, 2>>(space.dlast, b.units, b.units, b.units, {0},
                                    static_cast<T*>(b.dhh) + 2 * b.units * b.units, mine(panels, 0), mine(panels, 1));
    } else if (stages.last_units > 0) {
      for (int64_t v = from; v < to; ++v)
        for (int64_t k = 0; k < outputs; ++k)
          store(static_cast<T*>(b.dhr) + k * b.units + v * L, load(space.dlast + ((v / 2 * outputs + k) * 2 + v % 2) * L),
                count_at(v, b.units));
    }
    for (int64_t v = from; v < to; ++v)
      for (int a = 0; a < Cell::A; ++a) {
        const Pair<T> target = Cell::template parameter<T>(b.dbias_ih, b.dbias_hh, b.dmore, a, b.units);
        const vec<T> sum = load(space.dparameters + (v * Cell::A + a) * L);
        if (target.first != nullptr) store(target.first + v * L, sum, count_at(v, b.units));
        if (target.second != nullptr) store(target.second + v * L, sum, count_at(v, b.units));
      }
  }
};

template <class Cell> void staged_backward(const Backward& b, const Member& member, char* scratch) {
  StagedBackwardPass<Cell>(b, member, scratch).run();
}

template <class Cell> int64_t staged_backward_scratch(const Backward& b, int members) {
  Stages<Cell> stages(b.inputs, b.units, b.weights, b.outputs, b.noise);
  return StagedBackwardSpace<Cell>(b, stages, 0, members, nullptr).bytes;
}

}  // namespace ostinato::OSTINATO_ISA
