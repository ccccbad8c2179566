// Backward: what a member of the team has of its own, and the products of gate gradients.
#pragma once

#include "forward.h"

namespace ostinato::OSTINATO_ISA {

template <class T, class N> struct BackwardRow {
  const N* next;  // the gate gradients of the next step of the same sequence, of panel 0; a row of zeros if it has none
  const T *dy, *dhn;  // or none
  const T *saved, *h_before, *c_before;
  T *carry, *carry_h, *gradient;  // carry_h: past the cell, with zoneout
  N* operand;                     // the gradient, as products read it, where that is not itself
  Keys keys;
};

template <class Cell> struct BackwardSpace {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  using N = typename W::N;
  int64_t chunk, panel, carry_row, bytes;  // `panel`: numbers from one panel of gradients to the next
  N *x_panels, *h_panels;                  // weights packed for the way back
  T *gradients;                            // (P, chunk + B + 1, grad_row): rows, then the step after the chunk, then 0
  const N **x_at, **h_at;                  // where the chunk's inputs lie, and the states before each step
  T *dih, *dhh;                            // sums over the chunks so far, packed; the biases' after the last column
  T *carry, *carry_h;
  T *bias, *more, *dmore;
  // Where the gates are computed again: weights packed for the way there, and the chunk's gates.
  T *x_forward, *h_forward, *saved, *unread;
  ForwardRow<Cell>* again;
  BackwardRow<T, N>* rows;
  int64_t *fresh, *fresh_slot;
  // Of paired operands: gradients like the others, two neighbours in a word; gradients, inputs and states, two rows in a
  // word; where the states lie; and a panel of weights.
  N *operands, *gradient_rows, *x_rows, *h_rows;
  const T** before = nullptr;
  T* room = nullptr;

  BackwardSpace(const Backward& b, int member, int members, char* scratch) {
    const int64_t panels = W::panels(b.units), width = panels * W::panel_units * Cell::D;
    const int64_t wanted = max(384, (1 << 20) / (width * static_cast<int64_t>(sizeof(T))));
    chunk = longest_chunk(b.rows, wanted);
    panel = (chunk + b.rows.slots + 1) * W::grad_row;
    carry_row = max(W::wide_panels(b.units) * W::wide * W::L, panels * W::panel_units);
    const int64_t depth = W::depth(b.units) * W::wide * W::L;
    Carver carver{scratch};
    x_panels = carver.take<N>(b.dx == nullptr ? 0 : W::wide_panels(b.inputs) * W::words(depth));
    h_panels = carver.take<N>(Cell::dense ? W::wide_panels(b.units) * W::words(depth) : 0);
    gradients = carver.take<T>(panels * panel);
    dih = carver.take<T>(panels * (b.inputs + 1) * W::C * W::L);
    dhh = carver.take<T>(panels * (b.units + 1) * W::C * W::L);
    carry = carver.take<T>(b.rows.slots * carry_row);
    carry_h = carver.take<T>(b.noise.on ? b.rows.slots * carry_row : 0);
    bias = carver.take<T>(panels * W::panel_units * Cell::G);
    more = carver.take<T>(panels * W::panel_units * max(1, Cell::A));
    dmore = carver.take<T>(panels * W::panel_units * max(1, Cell::A));
    const bool low = b.saved == nullptr;
    x_forward = carver.take<T>(low ? panels * b.inputs * W::C * W::L : 0);
    h_forward = carver.take<T>(low && Cell::dense ? panels * b.units * W::C * W::L : 0);
    saved = carver.take<T>(low ? panels * chunk * W::saved_row : 0);
    const int64_t two = W::paired ? W::words(chunk) : 0;  // rows of pairs of rows
    operands = carver.take<N>(W::paired ? panels * W::words(panel) : 0);
    gradient_rows = carver.take<N>(two * panels * W::grad_row);
    x_rows = carver.take<N>(two * b.inputs), h_rows = carver.take<N>(two * b.units);
    for (int i = 0; i < members; ++i) {
      BackwardRow<T, N>* my_rows = carver.take<BackwardRow<T, N>>(b.rows.slots);
      int64_t* my_fresh = carver.take<int64_t>(chunk);
      int64_t* my_slot = carver.take<int64_t>(chunk);
      const N** my_x_at = carver.take<const N*>(chunk);
      const N** my_h_at = carver.take<const N*>(chunk);
      ForwardRow<Cell>* my_again = carver.take<ForwardRow<Cell>>(low ? chunk : 0);
      T* my_unread = carver.take<T>(low ? 2 * b.units : 0);
      const T** my_before = carver.take<const T*>(W::paired ? chunk : 0);
      T* my_room = carver.take<T>(W::paired ? depth : 0);
      if (i != member) continue;
      before = my_before, room = my_room;
      rows = my_rows, fresh = my_fresh, fresh_slot = my_slot, x_at = my_x_at, h_at = my_h_at, again = my_again, unread = my_unread;
    }
    bytes = carver.used;
  }
};

// target += columns `at` to `at` + R of `count` rows, times their gate gradients.
template <class N, int R, int C, class T = Sum<N>>
__attribute__((noinline)) void outer_rows(T* target, const N* const* rows, int64_t count, int64_t at, const N* gradients,
                                          int64_t gradient_row, const int (&place)[C]) {
  vec<T> sum[R][C];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) sum[r][c] = load(target + (r * C + c) * lanes<T>);
  outer<N, R, C>(sum, rows, at, gradients, gradient_row, place, count);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) store(target + (r * C + c) * lanes<T>, sum[r][c]);
}

// Where the gate gradients of one side lie in a row: `panels` panels, in each `runs` runs of `depth` words.
struct Side {
  int64_t panels, panel, at, runs, run, depth;
};

// Those of R rows times a wide panel of packed weights.
template <class N, int R, int wide>
__attribute__((noinline)) void back_product(const N* const* rows, const Side& side, const N* weights,
                                            vec<Sum<N>>* to) {
  vec<Sum<N>> sum[R][wide] = {};
  for (int64_t p = 0; p < side.panels; ++p)
    for (int64_t v = 0; v < side.runs; ++v) {
      const N* at[R];
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) at[r] = rows[r] + p * side.panel + v * side.run + side.at;
      multiply<N, R, wide>(sum, at, weights, side.depth);
      weights += side.depth * wide * lanes<Sum<N>>;
    }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < wide; ++v) to[r * wide + v] = sum[r][v];
}

}  // namespace ostinato::OSTINATO_ISA
