// One step of one layer, for one stream or many: the products of a panel of units with x and with h, one after the
// other through one run of memory, and the gates while both are still in registers.
#pragma once

#include "cells.h"
#include "steps.h"
#include "stored.h"

namespace ostinato::OSTINATO_ISA {

// A panel: bias (C vectors), more (A * units vectors), for scaled weights the scales and the sums of the columns of x and
// of h (4 C vectors), the words of x, the words of h.
template <class Cell, class Store> struct StreamPanel {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  static constexpr int width = W::C * W::L;
  static constexpr int more_at = width, scale_at = more_at + Cell::A * Cell::units * W::L;
  static constexpr int words_at = scale_at + (Store::scaled ? 4 * width : 0);

  int64_t x_groups, h_groups, size;  // size: numbers of one panel
  StreamPanel(int64_t inputs, int64_t units)
      : x_groups(blocks(inputs, Store::group)), h_groups(blocks(units, Store::group)),
        size(words_at + (x_groups + h_groups) * width) {}
};

template <class Cell, class Store>
void stream_pack_columns(const typename Cell::Number* from, int64_t units, int64_t depth, const int (&gates)[Cell::G],
                         int64_t panel, typename Store::Word* words, typename Cell::Number* scales, int32_t* sums) {
  using W = Layout<Cell>;
  using T = typename Cell::Number;
  for (int c = 0; c < W::C; ++c)
    for (int u = 0; u < W::L; ++u) {
      const int64_t unit = (panel * Cell::units + c / Cell::G) * W::L + u, lane = c * W::L + u;
      const bool real = unit < units;
      const T* row = from + (gates[c % Cell::G] * units + unit) * depth;
      const T scale = real ? Store::scale(row, depth) : T(0);
      int32_t sum = 0;
      for (int64_t k = 0; k < depth; k += Store::group) {
        const typename Store::Word word = real ? Store::word(row, k, depth, scale) : typename Store::Word(0);
        words[k / Store::group * W::C * W::L + lane] = word;
        if constexpr (Store::scaled)
          for (int j = 0; j < 4; ++j) sum += static_cast<int8_t>(word >> (8 * j));
      }
      if constexpr (Store::scaled) scales[lane] = scale, sums[lane] = sum;
    }
}

template <class Cell, class Store>
void stream_pack(int64_t inputs, int64_t units, const Weights& w, void* packed) {
  using W = Layout<Cell>;
  using T = typename Cell::Number;
  using P = StreamPanel<Cell, Store>;
  const P layout(inputs, units);
  const T *bias_ih = static_cast<const T*>(w.bias_ih), *bias_hh = static_cast<const T*>(w.bias_hh);
  for (int64_t p = 0; p < W::panels(units); ++p) {
    T* panel = static_cast<T*>(packed) + p * layout.size;
    T* scales = panel + P::scale_at;
    int32_t* sums = reinterpret_cast<int32_t*>(scales + 2 * P::width);
    auto* words = reinterpret_cast<typename Store::Word*>(panel + P::words_at);
    stream_pack_columns<Cell, Store>(static_cast<const T*>(w.ih), units, inputs, Cell::input_gates, p, words, scales,
                                     sums);
    stream_pack_columns<Cell, Store>(static_cast<const T*>(w.hh), units, units, Cell::hidden_gates, p,
                                     words + layout.x_groups * P::width, scales + P::width, sums + P::width);
    for (int v = 0; v < Cell::units; ++v)
      for (int u = 0; u < W::L; ++u) {
        const int64_t unit = (p * Cell::units + v) * W::L + u;
        const bool real = unit < units && bias_ih != nullptr;
        for (int g = 0; g < Cell::G; ++g) {
          const int64_t at = Cell::input_gates[g] * units + unit;
          panel[(v * Cell::G + g) * W::L + u] = real ? bias_ih[at] + (Cell::folds[g] ? bias_hh[at] : T(0)) : T(0);
        }
        if constexpr (Cell::A > 0)
          panel[P::more_at + v * W::L + u] = real ? bias_hh[(Cell::G - 1) * units + unit] : T(0);
      }
  }
}

// What one row of a step reads and writes.
template <class T, class Input> struct StreamRow {
  Input x_in, h_in;
  const T* h;
  T *c, *y;
};

// start(acc), and then acc += the product of one side, x or h, with the columns of a panel.
template <class Cell, class Store, int R, class Start, class T = typename Cell::Number>
inline __attribute__((always_inline)) void stream_multiply(vec<T> (&acc)[R][Layout<Cell>::C], Start&& start,
                                                           const typename Store::Input (&a)[R],
                                                           const typename Store::Word* words, const T* scales,
                                                           int64_t count) {
  using W = Layout<Cell>;
  if constexpr (Store::scaled) {
    ints sum[R][W::C];
    const ints* sums = reinterpret_cast<const ints*>(scales + 2 * W::C * W::L);
    Store::template multiply<R, W::C>(sum, a, words, sums, blocks(count, Store::group));
    start();
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int c = 0; c < W::C; ++c)
        acc[r][c] += __builtin_convertvector(sum[r][c], vec<T>) * (load(scales + c * W::L) * a[r].scale);
  } else {
    start();
    Store::template multiply<R, W::C>(acc, a, words, count);
  }
}

// One panel of one step for R rows. `unit`: the panel's first unit.
template <class Cell, class Store, int R>
void stream_tile(const StreamRow<typename Cell::Number, typename Store::Input>* rows, const typename Cell::Number* panel,
                 const StreamPanel<Cell, Store>& layout, int64_t inputs, int64_t units, int64_t unit) {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  using P = StreamPanel<Cell, Store>;
  const T *more = panel + P::more_at, *scales = panel + P::scale_at;
  const auto* words = reinterpret_cast<const typename Store::Word*>(panel + P::words_at);
  vec<T> sum[R][W::C];
  alignas(64) T pre[R][P::width];
  typename Store::Input x[R], h[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) x[r] = rows[r].x_in, h[r] = rows[r].h_in;
  const auto from_bias = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int c = 0; c < W::C; ++c) sum[r][c] = load(panel + c * W::L);
  };
  const auto from_pre = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < Cell::units; ++v)
        Cell::begin(&sum[r][v * Cell::G], &pre[r][v * Cell::G * W::L], more + v * W::L);
  };
  stream_multiply<Cell, Store, R>(sum, from_bias, x, words, scales, inputs);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int c = 0; c < W::C; ++c) store(&pre[r][c * W::L], sum[r][c]);
  stream_multiply<Cell, Store, R>(sum, from_pre, h, words + layout.x_groups * P::width, scales + P::width, units);
#pragma GCC unroll 4
  for (int v = 0; v < Cell::units; ++v) {
    const int64_t at = unit + v * W::L;
    const int count = in_vector<T>(units - at);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      Before<T> before{};
      vec<T> after{}, c_after{}, saved[Cell::S];
      if constexpr (Cell::sees_h) before.h = load(rows[r].h + at, count);
      if constexpr (Cell::has_c) before.c = load(rows[r].c + at, count);
      Cell::template forward<false>(&sum[r][v * Cell::G], &pre[r][v * Cell::G * W::L], more + v * W::L, before, after,
                                    c_after, saved);
      store(rows[r].y + at, after, count);
      if constexpr (Cell::has_c) store(rows[r].c + at, c_after, count);
    }
  }
}

// Scratch of a row of scaled inputs: the two scales on a line of their own, the words of x, the words of h.
template <class Store> int64_t stream_scratch_row(int64_t inputs, int64_t units) {
  if constexpr (!Store::scaled) return 0;
  return 64 + (blocks(inputs, 64) + blocks(units, 64)) * 64;
}

template <class T> inline const T* stream_x(const StreamStep& s, int64_t row) {
  const int64_t at = s.x_by_slot && s.slots != nullptr ? s.slots[row] : row;
  return static_cast<const T*>(s.x) + at * s.inputs;
}

inline int64_t stream_slot(const StreamStep& s, int64_t row) { return s.slots != nullptr ? s.slots[row] : row; }

template <class Cell, class Store> void stream_prepare(const StreamStep& s, int64_t first_row, int64_t last_row) {
  using T = typename Cell::Number;
  if constexpr (Store::scaled) {
    const int64_t stride = stream_scratch_row<Store>(s.inputs, s.units);
    for (int64_t i = first_row; i < last_row; ++i) {
      float* scales = reinterpret_cast<float*>(s.scratch + i * stride);
      uint32_t* q = reinterpret_cast<uint32_t*>(s.scratch + i * stride + 64);
      scales[0] = Store::quantise(stream_x<T>(s, i), s.inputs, q);
      scales[1] = Store::quantise(static_cast<const T*>(s.h) + stream_slot(s, i) * s.units, s.units,
                                  q + blocks(s.inputs, 64) * 16);
    }
  }
}

template <class Cell, class Store>
void stream_compute(const StreamStep& s, int64_t first_panel, int64_t last_panel, int64_t first_row, int64_t last_row) {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  const StreamPanel<Cell, Store> layout(s.inputs, s.units);
  const int64_t stride = stream_scratch_row<Store>(s.inputs, s.units);
  constexpr int most = 16 * W::R;  // rows whose addresses are gathered at once
  for (int64_t from = first_row; from < last_row; from += most) {
    StreamRow<T, typename Store::Input> rows[most];
    const int64_t count = min(most, last_row - from);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = from + i, slot = stream_slot(s, row);
      auto& to = rows[i];
      to.h = static_cast<const T*>(s.h) + slot * s.units;
      to.c = Cell::has_c ? static_cast<T*>(s.c) + slot * s.units : nullptr;
      to.y = static_cast<T*>(s.y) + row * s.units;
      if constexpr (Store::scaled) {
        const float* scales = reinterpret_cast<const float*>(s.scratch + row * stride);
        const uint32_t* q = reinterpret_cast<const uint32_t*>(s.scratch + row * stride + 64);
        to.x_in = {q, scales[0]}, to.h_in = {q + blocks(s.inputs, 64) * 16, scales[1]};
      } else {
        to.x_in = stream_x<T>(s, row), to.h_in = to.h;
      }
    }
    for (int64_t i = first_panel; i < last_panel; ++i) {
      const int64_t p = s.descending ? first_panel + last_panel - 1 - i : i;
      const T* panel = static_cast<const T*>(s.packed) + p * layout.size;
      in_tiles<W::R>(count, [&](int64_t first, int n) {
        with_rows<W::R>(n, [&](auto tile) {
          stream_tile<Cell, Store, decltype(tile)::value>(rows + first, panel, layout, s.inputs, s.units,
                                                          p * W::panel_units);
        });
      });
    }
  }
}

template <class Cell, class Store> constexpr StreamKernel stream_kernel() {
  return {
      Layout<Cell>::panels,
      [](int64_t inputs, int64_t units) {
        return Layout<Cell>::panels(units) * StreamPanel<Cell, Store>(inputs, units).size *
               static_cast<int64_t>(sizeof(typename Cell::Number));
      },
      stream_pack<Cell, Store>,
      stream_scratch_row<Store>,
      stream_prepare<Cell, Store>,
      stream_compute<Cell, Store>,
  };
}

}  // namespace ostinato::OSTINATO_ISA
