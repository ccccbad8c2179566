// Stages of a step: of the projected LSTMs, the GRU that resets before its product, and the layer-normalised cells.
//
// A step is a row of stages; in each, every member has some panels, and where members share by units they meet between
// two stages:
//   first    the product with the state before; and what needs nothing but it
//   gates    with normalisation: the gates, up to the new state or to c
//   put_out  with normalisation of c: what is put out
//   last     a second product: W_hn (r h), or W_hr times what is put out
// Between stages a row's numbers lie in records (v, row, S, L), one for each unit vector, and in lines, one for each slot.
#pragma once

#include "forward.h"
#include "staged_cells.h"

namespace ostinato::OSTINATO_ISA {

template <class T> struct StagedRow {
  const T *h, *c;       // the state before
  T *record, *norm;     // at unit vector 0; all numbers of its normalisations
  T *y, *c_after;
  T *line, *cell, *moments;  // what the last product reads; c before its normalisation; lane_moments
  Keys keys;
};

// The unit vectors and the panels of the last product that a member computes.
struct Range {
  int64_t first, last, first_panel, last_panel;
};

// Products of at most rows_of<C> rows with a panel.
template <int C, class T>
__attribute__((noinline)) void product_rows(const T* const* rows, int n, const T* weights, int64_t depth, vec<T>* sums) {
  with_rows<rows_of<C>>(n, [&](auto tile) { product<T, decltype(tile)::value, C>(rows, weights, depth, sums); });
}

template <class Cell> int64_t lane_size(int64_t vectors) {
  return max(1, Cell::groups) * vectors * 2 * lanes<typename Cell::Number>;
}

// The weights of a layer packed for the way there, and the stages of a step.
template <class Cell> struct Stages {
  using T = typename Cell::Number;
  using Input = Layout<typename Cell::Input>;
  using Hidden = Layout<typename Cell::Hidden>;
  using Last = Layout<Part<T, 1, 2>>;
  static constexpr int L = lanes<T>, S = Cell::S;

  int64_t inputs, units, outputs, vectors, last_units, last_panels;  // the last product gives last_units numbers
  int64_t record_vector = 0;  // from one unit vector to the next
  T *x_panels = nullptr, *h_panels = nullptr, *last_weights = nullptr, *parameters = nullptr;
  const Noise* noise;
  bool keep = false;

  Stages(int64_t inputs, int64_t units, const Weights& w, int64_t outputs, const Noise& noise)
      : inputs(inputs), units(units), outputs(w.hr != nullptr ? outputs : units), vectors(blocks(units, L)),
        last_units(Cell::twice ? units : w.hr != nullptr ? outputs : 0), last_panels(Last::panels(last_units)),
        noise(&noise) {}

  int64_t line() const { return vectors * L; }
  bool projects() const { return last_units > 0 && !Cell::twice; }

  void take(Carver& carver, bool weights) {
    parameters = carver.take<T>(vectors * Cell::A * L);
    if (!weights) return;
    x_panels = carver.take<T>(vectors * inputs * Input::C * L);
    h_panels = carver.take<T>(vectors * outputs * Hidden::C * L);
    last_weights = carver.take<T>(last_panels * units * Last::C * L);
  }

  // The matrix of the last product: W_hn or W_hr.
  static const T* last_matrix(const Weights& w, int64_t units) {
    return Cell::twice ? static_cast<const T*>(w.hh) + 2 * units * units : static_cast<const T*>(w.hr);
  }

  template <class S_> void pack(const Weights& w, const S_& share, bool weights) const {
    const auto part = [&](int64_t things, int at) { return share.even(things, share.id + at); };
    for (int64_t v = part(vectors, 0); v < part(vectors, 1); ++v) pack_parameters(w, v);
    if (!weights) return;
    pack_forward<typename Cell::Input>(static_cast<const T*>(w.ih), units, inputs, Cell::input_gates, x_panels,
                                       part(vectors, 0), part(vectors, 1));
    pack_forward<typename Cell::Hidden>(static_cast<const T*>(w.hh), units, outputs, Cell::hidden_gates, h_panels,
                                        part(vectors, 0), part(vectors, 1));
    pack_forward<Part<T, 1, 2>>(last_matrix(w, units), last_units, units, {0}, last_weights, part(last_panels, 0),
                                part(last_panels, 1));
  }

  void pack_parameters(const Weights& w, int64_t v) const {
    const int count = count_at(v, units);
    for (int a = 0; a < Cell::A; ++a) {
      const Pair<const T> from = Cell::template parameter<const T>(w.bias_ih, w.bias_hh, w.more, a, units);
      vec<T> sum{};
      if (from.first != nullptr) sum += load(from.first + v * L, count);
      if (from.second != nullptr) sum += load(from.second + v * L, count);
      store(parameters + (v * Cell::A + a) * L, sum);
    }
  }

  // The input product of n rows: their records, and `moments` of each where it is normalised.
  void project(const T* const* x, T* const* records, T* const* moments, int n, int64_t v) const {
    constexpr int G = Cell::Input::G;
    vec<T> sums[Input::R * G];
    product_rows<G>(x, n, x_panels + v * inputs * G * L, inputs, sums);
    const T* bias = parameters + v * Cell::A * L;
    for (int r = 0; r < n; ++r) {
      T* to = records[r] + v * record_vector;
      for (int g = 0; g < G; ++g)
        store(to + g * L, Cell::groups > 0 ? sums[r * G + g] : sums[r * G + g] + load(bias + g * L));
      if constexpr (Cell::groups > 0)
        for (int k = 0; k < Cell::groups; ++k)
          lane_moments<T>(sums + r * G + Cell::input_groups[k].first, Cell::input_groups[k].count,
                          moments[r] + (k * vectors + v) * 2 * L);
    }
  }

  // From lane_moments to those of the rows, of the input's side or of the state's; the latter lie behind the former.
  template <class Moments, class Norm>
  void normalise(int64_t count, const Group* groups, Moments&& moments, Norm&& norm) const {
    in_lanes<T>(count, [&](int64_t at, int n) {
      for (int k = 0; k < Cell::groups; ++k) {
        const T* from[L];
        T* to[L];
        for (int i = 0; i < n; ++i) from[i] = moments(at + i) + k * vectors * 2 * L, to[i] = norm(at + i) + 2 * k;
        row_moments<T, true>(from, n, units, groups[k].count, to);
      }
    });
  }

  // The moments of c, behind those of the products.
  void normalise_c(const StagedRow<T>* rows, int64_t count) const {
    in_lanes<T>(count, [&](int64_t at, int n) {
      const T* from[L];
      T* to[L];
      for (int i = 0; i < n; ++i) from[i] = rows[at + i].cell, to[i] = rows[at + i].norm + 4 * Cell::groups;
      row_moments<T, false>(from, n, units, 1, to);
    });
  }

  int count_at(int64_t v, int64_t size) const { return in_vector<T>(size - v * L); }

  Place<T> place(const StagedRow<T>& row, int64_t v) const {
    Place<T> at{row.record + v * record_vector, row.norm, parameters + v * Cell::A * L, {}};
    const int count = count_at(v, units);
    if constexpr (Cell::sees_h) at.before.h = load(row.h + v * L, count);
    if constexpr (Cell::has_c) at.before.c = load(row.c + v * L, count);
    at.before.keep = noise->on ? kept<T>(*noise, row.keys, v * L) : all<T>(T(1));
    return at;
  }

  void give(const StagedRow<T>& row, int64_t v, vec<T> h) const {
    const int count = count_at(v, outputs);
    if (noise->on)
      h = zoned<T>(*noise, row.keys.h, noise->hold_h, noise->share_h, v * L, load(row.h + v * L, count), h);
    store(row.y + v * L, h, count);
  }

  void give_c(const StagedRow<T>& row, int64_t v, vec<T> before, vec<T> c) const {
    if (noise->on) c = zoned<T>(*noise, row.keys.c, noise->hold_c, noise->share_c, v * L, before, c);
    store(row.c_after + v * L, c, count_at(v, units));
  }

  void first(const StagedRow<T>& row, const vec<T>* sums, int64_t v) const {
    constexpr int G = Cell::Hidden::G;
    T* record = row.record + v * record_vector;
    if constexpr (Cell::groups > 0) {
      for (int g = 0; g < G; ++g) store(record + (Cell::Input::G + g) * L, sums[g]);
      for (int k = 0; k < Cell::groups; ++k)
        lane_moments<T>(sums + Cell::hidden_groups[k].first, Cell::hidden_groups[k].count,
                        row.moments + (k * vectors + v) * 2 * L);
    } else if constexpr (Cell::twice) {
      store(row.line + v * L, Cell::reset(sums, record, load(row.h + v * L, count_at(v, units))));
    } else {
      const Place<T> at = place(row, v);
      vec<T> out, c, saved[S];
      Cell::forward(sums, record, at.parameters, at.before, out, c, saved);
      store(row.line + v * L, out);
      give_c(row, v, at.before.c, c);
      if (keep)
        for (int i = 0; i < S; ++i) store(record + i * L, saved[i]);
    }
  }

  void gates(const StagedRow<T>& row, int64_t v) const {
    const Place<T> at = place(row, v);
    if constexpr (Cell::has_c) {
      vec<T> c, o = Cell::forward(at, c);
      store(row.line + v * L, o);
      store(row.cell + v * L, c);
      give_c(row, v, at.before.c, c);
    } else {
      vec<T> h, saved[4];
      Cell::forward(at, h, saved);
      give(row, v, h);
    }
  }

  void put_out(const StagedRow<T>& row, int64_t v) const {
    const vec<T> out =
        Cell::put_out(load(row.line + v * L), load(row.cell + v * L), row.norm, parameters + v * Cell::A * L);
    if (projects()) store(row.line + v * L, out);
    else give(row, v, out);
  }

  void last(const StagedRow<T>& row, vec<T> sum, int64_t v) const {
    if constexpr (Cell::twice) {
      const Place<T> at = place(row, v);
      sum = Cell::forward(sum, row.record + v * record_vector, at.before);
    }
    give(row, v, sum);
  }

  // All stages of a step, whose members meet between them if there is a team.
  void run(const StagedRow<T>* rows, int64_t count, const Range& my, const Member* team) const {
    constexpr int G = Cell::Hidden::G;
    const auto meet = [team] {
      if (team != nullptr) team->sync();
    };
    for (int64_t v = my.first; v < my.last; ++v)
      in_tiles<Hidden::R>(count, [&](int64_t at, int n) {
        vec<T> sums[Hidden::R * G];
        const T* h[Hidden::R] = {};
        for (int r = 0; r < n; ++r) h[r] = rows[at + r].h;
        product_rows<G>(h, n, h_panels + v * outputs * G * L, outputs, sums);
        for (int r = 0; r < n; ++r) first(rows[at + r], sums + r * G, v);
      });
    if constexpr (Cell::groups > 0) {
      meet();
      normalise(
          count, Cell::hidden_groups, [&](int64_t i) { return rows[i].moments; },
          [&](int64_t i) { return rows[i].norm + 2 * Cell::groups; });
      for (int64_t v = my.first; v < my.last; ++v)
        for (int64_t i = 0; i < count; ++i) gates(rows[i], v);
      if constexpr (Cell::has_c) {
        meet();
        normalise_c(rows, count);
        for (int64_t v = my.first; v < my.last; ++v)
          for (int64_t i = 0; i < count; ++i) put_out(rows[i], v);
      }
    }
    if (last_units > 0) {
      meet();
      for (int64_t p = my.first_panel; p < my.last_panel; ++p)
        in_tiles<Last::R>(count, [&](int64_t at, int n) {
          vec<T> sums[Last::R * 2];
          const T* lines[Last::R];
          for (int r = 0; r < n; ++r) lines[r] = rows[at + r].line;
          product_rows<2>(lines, n, last_weights + p * units * 2 * L, units, sums);
          for (int w = 0; w < 2 && (2 * p + w) * L < last_units; ++w)
            for (int r = 0; r < n; ++r) last(rows[at + r], sums[r * 2 + w], 2 * p + w);
        });
    }
    meet();
  }
};

}  // namespace ostinato::OSTINATO_ISA
