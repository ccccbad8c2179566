// A layer in one direction, forward.
//
// In chunks of time: first the input product of all rows of the chunk, then the recurrence, a tile of rows and a panel
// of units at a time: the hidden product stays in registers, is added to the input's, and goes through the gates there.
#pragma once

#include "cells.h"
#include "gemm.h"
#include "steps.h"

namespace ostinato::OSTINATO_ISA {

// Where one row of a tile reads and writes.
template <class Cell> struct ForwardRow {
  using T = typename Cell::Number;
  using N = typename Layout<Cell>::N;
  const T *h, *c;    // the state before
  const N* operand;  // h, as the product reads it
  T* pre;            // the input product, and then the saved vectors, of panel 0
  T *y, *c_after;
  N* operand_after;  // y for the next step's product, where it is not y itself
  Keys keys;
};

template <class Cell> struct ForwardSpace {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  using N = typename W::N;
  int64_t chunk, pre_panel;  // rows of a chunk; numbers from one panel of `pre` to the next
  N *x_panels, *h_panels;
  T *bias, *more;
  T* pre;
  int64_t* list;
  ForwardRow<Cell>* rows;
  // Of paired operands: the chunk's inputs, the states before and after a step by slot, the initial ones; and a panel.
  int64_t x_row, h_row;
  N *x = nullptr, *h[2], *h0;
  T* room = nullptr;
  int64_t bytes;

  ForwardSpace(const Forward& f, int member, int members, char* scratch) {
    const int64_t panels = W::panels(f.units), wide = panels * W::panel_units;
    chunk = longest_chunk(f.rows, max(64, (512 << 10) / (wide * Cell::S * static_cast<int64_t>(sizeof(T)))));
    pre_panel = (f.saved != nullptr ? f.rows.total : chunk) * W::saved_row;
    Carver carver{scratch};
    x_row = W::paired ? W::words(f.inputs) : 0, h_row = W::paired ? W::words(wide) : 0;
    x_panels = carver.take<N>(panels * W::words(f.inputs) * W::C * W::L);
    h_panels = carver.take<N>(Cell::dense ? panels * W::words(f.units) * W::C * W::L : 0);
    bias = carver.take<T>(wide * Cell::G);
    more = carver.take<T>(wide * max(1, Cell::A));
    h[0] = carver.take<N>(f.rows.slots * h_row), h[1] = carver.take<N>(f.rows.slots * h_row);
    h0 = carver.take<N>(f.rows.slots * h_row);
    for (int i = 0; i < members; ++i) {
      T* my_pre = carver.take<T>(f.saved != nullptr ? 0 : panels * pre_panel);
      int64_t* my_list = carver.take<int64_t>(chunk);
      ForwardRow<Cell>* my_rows = carver.take<ForwardRow<Cell>>(f.rows.slots);
      N* my_x = carver.take<N>(chunk * x_row);
      T* my_room = carver.take<T>(W::paired ? max(f.inputs, f.units) * W::C * W::L : 0);
      if (i == member) pre = my_pre, list = my_list, rows = my_rows, x = my_x, room = my_room;
    }
    bytes = carver.used;
  }
};

// sums = rows times a panel of packed weights, for at most rows_of<C> rows.
template <class N, int R, int C>
__attribute__((noinline)) void product(const N* const* rows, const N* weights, int64_t depth, vec<Sum<N>>* to) {
  vec<Sum<N>> sum[R][C] = {};
  const N* a[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) a[r] = rows[r];
  multiply<N, R, C>(sum, a, weights, depth);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) to[r * C + c] = sum[r][c];
}

// pre = W_ih x + b of one panel for n rows of `inputs` words.
template <class Cell, class T = typename Cell::Number, class N = typename Layout<Cell>::N>
void project_tile(const N* const* x, T* const* pre, int n, const N* weights, const T* bias, int64_t inputs) {
  using W = Layout<Cell>;
  vec<T> sum[W::R * W::C];
  with_rows<W::R>(n, [&](auto tile) { product<N, decltype(tile)::value, W::C>(x, weights, inputs, sum); });
  for (int r = 0; r < n; ++r)
    for (int v = 0; v < Cell::units; ++v)
      for (int g = 0; g < Cell::G; ++g) {
        const int c = v * Cell::G + g;
        store(pre[r] + (v * Cell::S + g) * W::L, sum[r * W::C + c] + load(bias + c * W::L));
      }
}

// One panel of one step. `unit`: the panel's first unit; `offset`: where it lies in `pre`; `keep`: for backward.
template <class Cell> struct Panel {
  const typename Layout<Cell>::N* weights;
  const typename Cell::Number* more;
  int64_t units, unit, offset;
  bool keep;
};

// One row of a tile, unit vector v, from the sums of its gates on.
template <class Cell, bool noisy, class T = typename Cell::Number>
inline __attribute__((always_inline)) void finish(const ForwardRow<Cell>& row, const vec<T>* sum, const Panel<Cell>& panel,
                                                  int v, const Noise& noise) {
  constexpr int L = lanes<T>;
  const int64_t at = panel.unit + v * L;
  const int count = in_vector<T>(panel.units - at);
  T* pre = row.pre + panel.offset + v * Cell::S * L;
  Before<T> before{};
  vec<T> after{}, c_after{}, saved[Cell::S];
  if constexpr (Cell::sees_h || noisy) before.h = load(row.h + at, count);
  if constexpr (Cell::has_c) before.c = load(row.c + at, count);
  if constexpr (noisy) before.keep = kept<T>(noise, row.keys, at);
  Cell::template forward<noisy>(sum, pre, panel.more + v * Cell::A * L, before, after, c_after, saved);
  if constexpr (noisy) {
    after = zoned<T>(noise, row.keys.h, noise.hold_h, noise.share_h, at, before.h, after);
    if constexpr (Cell::has_c)
      c_after = zoned<T>(noise, row.keys.c, noise.hold_c, noise.share_c, at, before.c, c_after);
  }
  store(row.y + at, after, count);
  if constexpr (Layout<Cell>::paired) store_pairs(row.operand_after + at / 2, after, count);
  if constexpr (Cell::has_c) store(row.c_after + at, c_after, count);
  if (panel.keep)
    for (int i = 0; i < Cell::S; ++i) store(pre + i * L, saved[i]);
}

// A tile of R rows, all in registers.
template <class Cell, int R, class T = typename Cell::Number>
void step_tile(const ForwardRow<Cell>* rows, const Panel<Cell>& panel, const Noise& noise) {
  using W = Layout<Cell>;
  vec<T> sum[R][W::C];
  const typename W::N* h[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    h[r] = rows[r].operand;
#pragma GCC unroll 4
    for (int v = 0; v < Cell::units; ++v)
      Cell::begin(&sum[r][v * Cell::G], rows[r].pre + panel.offset + v * Cell::S * W::L,
                  panel.more + v * Cell::A * W::L);
  }
  multiply<typename W::N, R, W::C>(sum, h, panel.weights, W::words(panel.units));
#pragma GCC unroll 4
  for (int v = 0; v < Cell::units; ++v)
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) finish<Cell, false>(rows[r], &sum[r][v * Cell::G], panel, v, noise);
}

// The same for what is not worth writing out for every number of rows: the sums go through memory.
template <class Cell, bool noisy, class T = typename Cell::Number>
void step_rows(const ForwardRow<Cell>* rows, int n, const Panel<Cell>& panel, const Noise& noise) {
  using W = Layout<Cell>;
  vec<T> sums[W::R * W::C] = {}, sum[Cell::G];
  if constexpr (Cell::dense) {
    const typename W::N* h[W::R];
    for (int r = 0; r < n; ++r) h[r] = rows[r].operand;
    with_rows<W::R>(n, [&](auto tile) {
      product<typename W::N, decltype(tile)::value, W::C>(h, panel.weights, W::words(panel.units), sums);
    });
  }
  for (int v = 0; v < Cell::units; ++v)
    for (int r = 0; r < n; ++r) {
      Cell::begin(sum, rows[r].pre + panel.offset + v * Cell::S * W::L, panel.more + v * Cell::A * W::L);
      for (int g = 0; g < Cell::G; ++g) sum[g] += sums[r * W::C + v * Cell::G + g];
      finish<Cell, noisy>(rows[r], sum, panel, v, noise);
    }
}

// A panel of one step for any number of rows.
template <class Cell, class T = typename Cell::Number>
void step_panel(const ForwardRow<Cell>* rows, int64_t count, const Panel<Cell>& panel, const Noise& noise) {
  using W = Layout<Cell>;
  in_tiles<W::R>(count, [&](int64_t first, int n) {
    if (noise.on) {
      step_rows<Cell, true>(rows + first, n, panel, noise);
    } else if constexpr (Cell::plain) {
      with_rows<W::R>(n, [&](auto tile) { step_tile<Cell, decltype(tile)::value>(rows + first, panel, noise); });
    } else {
      step_rows<Cell, false>(rows + first, n, panel, noise);
    }
  });
}

template <class Cell> class ForwardPass {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  using N = typename W::N;

  const Forward& f;
  const Member& member;
  const Share<Cell> share;
  const ForwardSpace<Cell> space;
  const bool keep, keep_c;  // the gates, and the cell states, for backward
  const int64_t panels, first_panel, last_panel;

  const T* x(int64_t row) const { return static_cast<const T*>(f.x) + f.rows.place(row) * f.inputs; }
  const T* h0(int64_t slot) const { return static_cast<const T*>(f.h0) + slot * f.units; }
  const T* c0(int64_t slot) const { return static_cast<const T*>(f.c0) + slot * f.units; }
  T* y(int64_t row) const { return static_cast<T*>(f.y) + f.rows.place(row) * f.y_stride; }
  T* hn(int64_t slot) const { return static_cast<T*>(f.hn) + slot * f.units; }
  T* cn(int64_t slot) const { return static_cast<T*>(f.cn) + slot * f.units; }
  T* c(int64_t row) const { return static_cast<T*>(f.c) + row * f.units; }
  // Where row number i of this member's list, row `row` of all, has its input product.
  T* pre(int64_t i, int64_t row) const {
    return keep ? static_cast<T*>(f.saved) + row * W::saved_row : space.pre + i * W::saved_row;
  }

 public:
  ForwardPass(const Forward& f, const Member& member, char* scratch)
      : f(f), member(member), share(f.rows, f.units, member.id, member.count),
        space(f, member.id, member.count, scratch), keep(f.saved != nullptr),
        keep_c(f.c != nullptr), panels(W::panels(f.units)),
        first_panel(share.panel(panels, share.id)), last_panel(share.panel(panels, share.id + 1)) {}

  void run() {
    prepare();
    for (int64_t s = 0; s < f.rows.steps;) {
      const int64_t end = chunk_end(f.rows, s, space.chunk);
      const int64_t count = list_rows(s, end);
      project(count);
      for (int64_t at = 0; s < end; ++s) at = step(s, at);
    }
    finish();
  }

 private:
  // Weights and biases packed, each member its share; in inference the cell states start in cn.
  void prepare() {
    const int64_t from = share.even(panels, share.id), to = share.even(panels, share.id + 1);
    const Weights& w = f.weights;
    pack_forward_operands<Cell>(w.ih, f.units, f.inputs, Cell::input_gates, space.x_panels, space.room, from, to);
    if (Cell::dense)
      pack_forward_operands<Cell>(w.hh, f.units, f.units, Cell::hidden_gates, space.h_panels, space.room, from, to);
    if constexpr (W::paired)
      for (int64_t j = share.id; j < f.rows.slots; j += share.count) pair_row(h0(j), f.units, space.h0 + j * space.h_row);
    if (share.id == 0) pack_bias<Cell>(w, f.units, space.bias, space.more);
    if (Cell::has_c && !keep_c)
      for (int64_t j = share.id; j < f.rows.slots; j += share.count) copy(c0(j), cn(j), f.units);
    member.sync();
  }

  // This member's rows of a chunk of steps.
  int64_t list_rows(int64_t s, int64_t end) {
    int64_t count = 0;
    for (; s < end; ++s) {
      const Step step = step_at(f.rows, s);
      for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j)) space.list[count++] = step.first + j;
    }
    return count;
  }

  void project(int64_t count) {
    const int64_t words = W::words(f.inputs);
    if constexpr (W::paired)
      for (int64_t i = 0; i < count; ++i) pair_row(x(space.list[i]), f.inputs, space.x + i * words);
    for (int64_t p = first_panel; p < last_panel; ++p)
      in_tiles<W::R>(count, [&](int64_t first, int n) {
        const N* from[W::R];
        T* to[W::R];
        for (int r = 0; r < n; ++r) {
          const int64_t row = space.list[first + r];
          if constexpr (W::paired) from[r] = space.x + (first + r) * words;
          else from[r] = x(row);
          to[r] = pre(first + r, row) + p * space.pre_panel;
        }
        project_tile<Cell>(from, to, n, space.x_panels + p * words * W::C * W::L, space.bias + p * W::C * W::L, words);
      });
  }

  // One step; `at` is the place of its first row in the list. Gives the place after its last.
  int64_t step(int64_t s, int64_t at) {
    const Step step = step_at(f.rows, s);
    int64_t count = 0;
    for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j), ++count) {
      const int64_t row = step.first + j;
      ForwardRow<Cell>& to = space.rows[count];
      const bool fresh = begins(f.rows, step, j);
      to.h = fresh ? h0(j) : y(step.before + j);
      if constexpr (W::paired) {
        to.operand = (fresh ? space.h0 : space.h[s & 1]) + j * space.h_row;
        to.operand_after = space.h[1 - (s & 1)] + j * space.h_row;
      } else {
        to.operand = to.h;
      }
      to.pre = pre(at + count, row);
      to.y = y(row);
      if constexpr (Cell::has_c) {
        to.c = fresh ? c0(j) : keep_c ? c(step.before + j) : cn(j);
        to.c_after = keep_c ? c(row) : cn(j);
      }
      if (f.noise.on) to.keys = keys_of(f.noise, step.time, j);
    }
    for (int64_t p = first_panel; p < last_panel; ++p)
      step_panel<Cell>(space.rows, count,
                       Panel<Cell>{space.h_panels + p * W::words(f.units) * W::C * W::L, space.more + p * Cell::A * W::panel_units,
                                f.units, p * W::panel_units, p * space.pre_panel, keep},
                       f.noise);
    if (share.by_units()) member.sync();
    return at + count;
  }

  // The state after each sequence's last step; of a sequence without a step, the initial one.
  void finish() {
    for_last_rows(f.rows, [&](int64_t j, int64_t row) {
      if (share.owner(j) != share.id) return;
      copy<T>(row < 0 ? h0(j) : y(row), hn(j), f.units);
      if (Cell::has_c && keep_c) copy<T>(row < 0 ? c0(j) : c(row), cn(j), f.units);
    });
  }
};

template <class Cell> void forward(const Forward& f, const Member& member, char* scratch) {
  ForwardPass<Cell>(f, member, scratch).run();
}

template <class Cell> int64_t forward_scratch(const Forward& f, int members) {
  return ForwardSpace<Cell>(f, 0, members, nullptr).bytes;
}

}  // namespace ostinato::OSTINATO_ISA
