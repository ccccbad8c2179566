// A layer in one direction, backward.
//
// In chunks of time, from the last step processed to the first. In a chunk first the recurrence: dL/dh of a step is the
// product of the next step's gate gradients with W_hh, kept in registers, and goes through the cell's derivative there.
// Then, for the whole chunk at once, the products that nothing waits for: dL/dx, dL/dW_ih, dL/dW_hh, and dL/dh0.
#pragma once

#include "cells.h"
#include "gemm.h"
#include "steps.h"

namespace ostinato::OSTINATO_ISA {

template <class T> struct BackwardRow {
  const T* next;  // the gate gradients of the next step of the same sequence, of panel 0; a row of zeros if it has none
  const T *dy, *dhn;  // or none
  const T *saved, *h_before, *c_before;
  T *carry, *gradient;
};

template <class Cell> struct BackwardSpace {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  int64_t chunk, panel, carry_row, bytes;  // `panel`: numbers from one panel of gradients to the next
  T *x_panels, *h_panels;                  // weights packed for the way back
  T *gradients;                            // (P, chunk + B + 1, grad_row): rows, then the step after the chunk, then 0
  T *x_rows, *h_rows;                      // the chunk's inputs and states, R columns side by side, and a column of 1
  T *dih, *dhh;                            // sums over the chunks so far, packed
  T* carry;
  BackwardRow<T>* rows;
  int64_t *fresh, *fresh_slot;

  BackwardSpace(const Backward& b, int member, int members, char* scratch) {
    const int64_t panels = W::panels(b.units), width = panels * W::panel_units * Cell::D;
    const int64_t wanted = max(96, (1 << 20) / (width * static_cast<int64_t>(sizeof(T))));
    chunk = longest_chunk(b.rows, wanted);
    panel = (chunk + b.rows.slots + 1) * W::grad_row;
    carry_row = max(W::wide_panels(b.units) * W::wide * W::L, panels * W::panel_units);
    const int64_t depth = W::depth(b.units) * W::wide * W::L;
    Carver carver{scratch};
    x_panels = carver.take<T>(b.dx == nullptr ? 0 : W::wide_panels(b.inputs) * depth);
    h_panels = carver.take<T>(W::wide_panels(b.units) * depth);
    gradients = carver.take<T>(panels * panel);
    x_rows = carver.take<T>(blocks(b.inputs + 1, W::R) * W::R * chunk);
    h_rows = carver.take<T>(blocks(b.units + 1, W::R) * W::R * chunk);
    dih = carver.take<T>(panels * blocks(b.inputs + 1, W::R) * W::R * W::C * W::L);
    dhh = carver.take<T>(panels * blocks(b.units + 1, W::R) * W::R * W::C * W::L);
    carry = carver.take<T>(b.rows.slots * carry_row);
    for (int i = 0; i < members; ++i) {
      BackwardRow<T>* my_rows = carver.take<BackwardRow<T>>(b.rows.slots);
      int64_t* my_fresh = carver.take<int64_t>(chunk);
      int64_t* my_slot = carver.take<int64_t>(chunk);
      if (i == member) rows = my_rows, fresh = my_fresh, fresh_slot = my_slot;
    }
    bytes = carver.used;
  }
};

// sum = gate gradients (those of G columns, from vector `from` of each unit on) times a wide panel of packed weights.
template <class Cell, int R, class T = typename Cell::Number>
inline __attribute__((always_inline)) void back_product(vec<T> (&sum)[R][Layout<Cell>::wide], const T* const (&row)[R],
                                                        int from, const T* weights, int64_t panels, int64_t panel) {
  using W = Layout<Cell>;
  constexpr int side = W::wide * W::L;
  constexpr int runs = Cell::D == Cell::G ? 1 : Cell::units, depth = W::C * W::L / runs;
  for (int64_t p = 0; p < panels; ++p)
    for (int v = 0; v < runs; ++v) {
      const T* at[R];
      for (int r = 0; r < R; ++r) at[r] = row[r] + p * panel + (v * Cell::D + from) * W::L;
      multiply<T, R, W::wide>(sum, at, weights, depth);
      weights += depth * side;
    }
}

template <class Cell> class BackwardPass {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  static constexpr int wide = W::wide, wide_rows = W::wide_rows, side = wide * W::L;

  const Backward& b;
  const Member& member;
  const Share<Cell> share;
  const BackwardSpace<Cell> space;
  const int64_t panels, wide_panels, saved_panel;
  int64_t chunk_first = 0;  // of all rows, the first of the chunk

  const T* h0(int64_t slot) const { return static_cast<const T*>(b.h0) + slot * b.units; }
  const T* c0(int64_t slot) const { return static_cast<const T*>(b.c0) + slot * b.units; }
  const T* y(int64_t row) const { return static_cast<const T*>(b.y) + row * b.y_stride; }
  const T* c(int64_t row) const { return static_cast<const T*>(b.c) + row * b.units; }
  T* gradient(int64_t place) const { return space.gradients + place * W::grad_row; }
  T* carry(int64_t slot) const { return space.carry + slot * space.carry_row; }
  int64_t after(int64_t slot) const { return space.chunk + slot; }
  int64_t nothing() const { return space.chunk + b.rows.slots; }

 public:
  BackwardPass(const Backward& b, const Member& member, char* scratch)
      : b(b), member(member), share(b.rows, b.inputs, b.units, member.id, member.count),
        space(b, member.id, member.count, scratch), panels(W::panels(b.units)), wide_panels(W::wide_panels(b.units)),
        saved_panel(b.rows.total * W::saved_row) {}

  void run() {
    prepare();
    for (int64_t end = b.rows.steps; end > 0;) {
      const int64_t start = chunk_start(b.rows, end, space.chunk);
      const Step first = step_at(b.rows, start), last = step_at(b.rows, end - 1);
      chunk_first = min(first.first, last.first);
      const int64_t count = max(first.first + first.count, last.first + last.count) - chunk_first;
      pack_rows(start, end, count);
      for (int64_t s = end - 1; s >= start; --s) step(s, s + 1 == end);
      member.sync();
      into_initial(start, end);
      into_input(count);
      into_weights(count);
      keep_for_next(first);
      member.sync();
      end = start;
    }
    finish();
  }

 private:
  void prepare() {
    const int id = share.id;
    const Weights& w = b.weights;
    pack_backward<Cell>(static_cast<const T*>(w.hh), b.units, b.units, Cell::hidden_gates, space.h_panels,
                        share.even(wide_panels, id), share.even(wide_panels, id + 1));
    if (b.dx != nullptr) {
      const int64_t count = W::wide_panels(b.inputs);
      pack_backward<Cell>(static_cast<const T*>(w.ih), b.units, b.inputs, Cell::input_gates, space.x_panels,
                          share.even(count, id), share.even(count, id + 1));
    }
    const int64_t x_size = blocks(b.inputs + 1, W::R) * W::R * W::C * W::L,
                  h_size = blocks(b.units + 1, W::R) * W::R * W::C * W::L;
    for (int64_t p = share.even(panels, id); p < share.even(panels, id + 1); ++p) {
      std::memset(space.dih + p * x_size, 0, static_cast<size_t>(x_size) * sizeof(T));
      std::memset(space.dhh + p * h_size, 0, static_cast<size_t>(h_size) * sizeof(T));
      std::memset(gradient(nothing()) + p * space.panel, 0, sizeof(T) * W::grad_row);
    }
    const int64_t alive = b.rows.steps > 0 ? b.rows.sizes[0] : 0;
    for (int64_t j = id; j < b.rows.slots; j += share.count) {
      std::memset(carry(j), 0, static_cast<size_t>(space.carry_row) * sizeof(T));
      if (Cell::has_c && b.dcn != nullptr) copy(static_cast<const T*>(b.dcn) + j * b.units, carry(j), b.units);
      std::memset(static_cast<T*>(b.dh0) + j * b.units, 0, static_cast<size_t>(b.units) * sizeof(T));
      if (Cell::has_c) std::memset(static_cast<T*>(b.dc0) + j * b.units, 0, static_cast<size_t>(b.units) * sizeof(T));
      if (j < alive) continue;  // a sequence without a step ends in the state it begins with
      if (b.dhn != nullptr)
        copy(static_cast<const T*>(b.dhn) + j * b.units, static_cast<T*>(b.dh0) + j * b.units, b.units);
      if (Cell::has_c) copy(carry(j), static_cast<T*>(b.dc0) + j * b.units, b.units);
    }
    member.sync();
  }

  // The operands of the weight gradients: R columns of the chunk's rows side by side, and a column of ones.
  void pack_rows(int64_t start, int64_t end, int64_t count) {
    const int64_t x_blocks = blocks(b.inputs + 1, W::R), h_blocks = blocks(b.units + 1, W::R);
    const int64_t from = share.even(x_blocks + h_blocks, share.id), to = share.even(x_blocks + h_blocks, share.id + 1);
    for (int64_t s = start; s < end; ++s) {
      const Step step = step_at(b.rows, s);
      for (int64_t j = 0; j < step.count; ++j) {
        const int64_t row = step.first + j, place = row - chunk_first;
        const T* x = static_cast<const T*>(b.x) + row * b.inputs;
        const T* h = begins(b.rows, step, j) ? h0(j) : y(step.before + j);
        pack_row(x, b.inputs, min(from, x_blocks), min(to, x_blocks), space.x_rows, count, place);
        pack_row(h, b.units, max(from - x_blocks, 0), max(to - x_blocks, 0), space.h_rows, count, place);
      }
    }
  }

  static void pack_row(const T* row, int64_t columns, int64_t from, int64_t to, T* packed, int64_t count,
                       int64_t place) {
    for (int64_t block = from; block < to; ++block) {
      T* target = packed + (block * count + place) * W::R;
      const T* source = row + block * W::R;
      if ((block + 1) * W::R <= columns) {
        for (int r = 0; r < W::R; ++r) target[r] = source[r];
      } else {
        for (int r = 0; r < W::R; ++r) {
          const int64_t column = block * W::R + r;
          target[r] = column < columns ? source[r] : column == columns ? T(1) : T(0);
        }
      }
    }
  }

  void step(int64_t s, bool last_of_chunk) {
    const Step step = step_at(b.rows, s);
    const bool final = s + 1 == b.rows.steps;
    const Step next = final ? Step{0, 0, 0, 0} : step_at(b.rows, s + 1);
    int64_t count = 0, following = 0;  // `following`: rows up to the last one that has a next step
    for (int64_t j = share.first_slot(); j < step.count; j += share.slot_step(), ++count) {
      const int64_t row = step.first + j;
      const bool ends = j >= next.count, follows = !ends && !begins(b.rows, next, j), fresh = begins(b.rows, step, j);
      BackwardRow<T>& to = space.rows[count];
      to.next = gradient(follows ? (last_of_chunk ? after(j) : next.first + j - chunk_first) : nothing());
      to.dy = b.dy == nullptr ? nullptr : static_cast<const T*>(b.dy) + row * b.dy_stride;
      to.dhn = ends && b.dhn != nullptr ? static_cast<const T*>(b.dhn) + j * b.units : nullptr;
      to.saved = static_cast<const T*>(b.saved) + row * W::saved_row;
      to.h_before = fresh ? h0(j) : y(step.before + j);
      if constexpr (Cell::has_c) to.c_before = fresh ? c0(j) : c(step.before + j);
      to.carry = carry(j);
      to.gradient = gradient(row - chunk_first);
      if (follows) following = count + 1;
    }
    const int64_t first = share.panel(wide_panels, share.id), last = share.panel(wide_panels, share.id + 1);
    for (int64_t q = first; q < last; ++q)
      in_tiles<wide_rows>(count, [&](int64_t at, int n) {
        with_rows<wide_rows>(n, [&](auto tile) {
            constexpr int R = decltype(tile)::value; step_tile<R>(space.rows + at, q, at < following); });
      });
    for (int64_t j = share.first_slot(); j < step.count; j += share.slot_step())
      if (begins(b.rows, step, j)) settle(j, first * side, min(last * side, b.units));
    if (share.by_units()) member.sync();
  }

  template <int R> void step_tile(const BackwardRow<T>* rows, int64_t q, bool product) {
    vec<T> sum[R][wide] = {};
    if (product) {
      const T* next[R];
      for (int r = 0; r < R; ++r) next[r] = rows[r].next;
      back_product<Cell, R>(sum, next, Cell::hidden_at, space.h_panels + q * W::depth(b.units) * side, panels,
                            space.panel);
    }
#pragma GCC unroll 4
    for (int v = 0; v < wide; ++v) {
      const int64_t vector = q * wide + v, unit = vector * W::L;
      if (vector >= panels * Cell::units) break;
      const int count = static_cast<int>(max(0, min(W::L, b.units - unit)));
      const int64_t p = vector / Cell::units, place = vector % Cell::units;
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const BackwardRow<T>& row = rows[r];
        vec<T> dh = sum[r][v], h_before{}, c_before{}, saved[Cell::S], d[Cell::D];
        if (row.dy != nullptr) dh += load(row.dy + unit, count);
        if (row.dhn != nullptr) dh += load(row.dhn + unit, count);
        if constexpr (Cell::A > 0) h_before = load(row.h_before + unit, count);
        if constexpr (Cell::has_c) c_before = load(row.c_before + unit, count);
        for (int i = 0; i < Cell::S; ++i) saved[i] = load(row.saved + p * saved_panel + (place * Cell::S + i) * W::L);
        vec<T> kept = load(row.carry + unit);
        Cell::backward(saved, nullptr, h_before, c_before, dh, kept, d);
        store(row.carry + unit, kept);
        T* to = row.gradient + p * space.panel + place * Cell::D * W::L;
        for (int i = 0; i < Cell::D; ++i) store(to + i * W::L, d[i]);
      }
    }
  }

  // A row that began with the initial state hands what it carries to that state's gradient.
  void settle(int64_t slot, int64_t from, int64_t to) {
    T* target = static_cast<T*>(Cell::has_c ? b.dc0 : b.dh0) + slot * b.units;
    for (int64_t u = from; u < to; ++u) {
      target[u] += carry(slot)[u];
      carry(slot)[u] = T(0);
    }
  }

  // dh0 of every row of the chunk that began with the initial state.
  void into_initial(int64_t start, int64_t end) {
    int64_t count = 0;
    for (int64_t s = start; s < end; ++s) {
      const Step step = step_at(b.rows, s);
      const int64_t from = b.rows.reset == nullptr ? step.before_count : 0;
      for (int64_t j = from; j < step.count; ++j)
        if (begins(b.rows, step, j)) space.fresh[count] = step.first + j - chunk_first, space.fresh_slot[count++] = j;
    }
    for (int64_t q = share.even(wide_panels, share.id); q < share.even(wide_panels, share.id + 1); ++q)
      in_tiles<wide_rows>(count, [&](int64_t at, int n) {
        with_rows<wide_rows>(n, [&](auto tile) {
            constexpr int R = decltype(tile)::value;
          vec<T> sum[R][wide] = {};
          const T* from[R];
          for (int r = 0; r < R; ++r) from[r] = gradient(space.fresh[at + r]);
          back_product<Cell, R>(sum, from, Cell::hidden_at, space.h_panels + q * W::depth(b.units) * side, panels,
                                space.panel);
          for (int r = 0; r < R; ++r)
            for (int v = 0; v < wide; ++v) {
              const int64_t unit = q * side + v * W::L;
              const int width = static_cast<int>(max(0, min(W::L, b.units - unit)));
              T* to = static_cast<T*>(b.dh0) + space.fresh_slot[at + r] * b.units + unit;
              store(to, load(to, width) + sum[r][v], width);
            }
        });
      });
  }

  void into_input(int64_t count) {
    if (b.dx == nullptr) return;
    const int64_t tiles = blocks(count, wide_rows);
    const int64_t from = share.even(tiles, share.id) * wide_rows,
                  to = min(count, share.even(tiles, share.id + 1) * wide_rows);
    for (int64_t q = 0; q < W::wide_panels(b.inputs); ++q)
      in_tiles<wide_rows>(to - from, [&](int64_t at, int n) {
        with_rows<wide_rows>(n, [&](auto tile) {
            constexpr int R = decltype(tile)::value;
          vec<T> sum[R][wide] = {};
          const T* row[R];
          for (int r = 0; r < R; ++r) row[r] = gradient(from + at + r);
          back_product<Cell, R>(sum, row, 0, space.x_panels + q * W::depth(b.units) * side, panels, space.panel);
          for (int r = 0; r < R; ++r)
            for (int v = 0; v < wide; ++v) {
              const int64_t column = q * side + v * W::L;
              const int width = static_cast<int>(max(0, min(W::L, b.inputs - column)));
              T* target = static_cast<T*>(b.dx) + (chunk_first + from + at + r) * b.inputs + column;
              store(target, sum[r][v], width);
            }
        });
      });
  }

  void into_weights(int64_t count) {
    const int64_t from = share.even(panels, share.id), to = share.even(panels, share.id + 1);
    for (int64_t p = from; p < to; ++p) {
      add_outer(space.x_rows, b.inputs + 1, 0, p, space.dih, count);
      add_outer(space.h_rows, b.units + 1, Cell::hidden_at, p, space.dhh, count);
    }
  }

  // Adds the product of the chunk's packed rows with the gate gradients of panel p.
  void add_outer(const T* packed, int64_t columns, int from, int64_t p, T* sums, int64_t count) {
    const int64_t tiles = blocks(columns, W::R);
    int place[W::C];
    for (int v = 0; v < Cell::units; ++v)
      for (int g = 0; g < Cell::G; ++g) place[v * Cell::G + g] = v * Cell::D + from + g;
    for (int64_t block = 0; block < tiles; ++block) {
      T* target = sums + (p * tiles + block) * W::R * W::C * W::L;
      vec<T> sum[W::R][W::C];
#pragma GCC unroll 16
      for (int r = 0; r < W::R; ++r)
#pragma GCC unroll 16
        for (int c = 0; c < W::C; ++c) sum[r][c] = load(target + (r * W::C + c) * W::L);
      outer<T, W::R, W::C>(sum, packed + block * count * W::R, W::R, gradient(0) + p * space.panel, W::grad_row, place,
                           count);
#pragma GCC unroll 16
      for (int r = 0; r < W::R; ++r)
#pragma GCC unroll 16
        for (int c = 0; c < W::C; ++c) store(target + (r * W::C + c) * W::L, sum[r][c]);
    }
  }

  // The gate gradients of the chunk's first step, for the chunk that comes next.
  void keep_for_next(const Step& first) {
    for (int64_t p = share.even(panels, share.id); p < share.even(panels, share.id + 1); ++p)
      std::memmove(gradient(after(0)) + p * space.panel, gradient(first.first - chunk_first) + p * space.panel,
                   static_cast<size_t>(first.count * W::grad_row) * sizeof(T));
  }

  void finish() {
    const int64_t from = share.even(panels, share.id), to = share.even(panels, share.id + 1);
    const int64_t x_stride = blocks(b.inputs + 1, W::R) * W::R, h_stride = blocks(b.units + 1, W::R) * W::R;
    unpack_forward<Cell>(space.dih, b.units, b.inputs, x_stride, Cell::input_gates, static_cast<T*>(b.dih), from, to);
    unpack_forward<Cell>(space.dhh, b.units, b.units, h_stride, Cell::hidden_gates, static_cast<T*>(b.dhh), from, to);
    if (b.dbias_ih == nullptr) return;
    const T* x_sum = space.dih + b.inputs * W::C * W::L;
    const T* h_sum = space.dhh + b.units * W::C * W::L;
    unpack_forward<Cell>(x_sum, b.units, 1, x_stride, Cell::input_gates, static_cast<T*>(b.dbias_ih), from, to);
    unpack_forward<Cell>(h_sum, b.units, 1, h_stride, Cell::hidden_gates, static_cast<T*>(b.dbias_hh), from, to);
  }
};

template <class Cell> void backward(const Backward& b, const Member& member, char* scratch) {
  BackwardPass<Cell>(b, member, scratch).run();
}

template <class Cell> int64_t backward_scratch(const Backward& b, int members) {
  return BackwardSpace<Cell>(b, 0, members, nullptr).bytes;
}

}  // namespace ostinato::OSTINATO_ISA
