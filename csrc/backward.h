// A layer in one direction, backward.
//
// In chunks of time, from the last step processed to the first. In a chunk first the recurrence: dL/dh of a step is the
// product of the next step's gate gradients with W_hh, kept in registers, and goes through the cell's derivative there.
// Then, for the whole chunk at once, the products that nothing waits for: dL/dx, dL/dW_ih, dL/dW_hh, and dL/dh0.
#pragma once

#include "backward_space.h"

namespace ostinato::OSTINATO_ISA {

template <class Cell> class BackwardPass {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  using N = typename W::N;
  static constexpr int wide = W::wide, wide_rows = W::wide_rows, width = wide * W::L;

  const Backward& b;
  const Member& member;
  const Share<Cell> share;
  const BackwardSpace<Cell> space;
  const int64_t panels, wide_panels, saved_panel;
  const bool low;
  int64_t chunk_first = 0;  // of all rows, the first of the chunk

  const T* h0(int64_t slot) const { return static_cast<const T*>(b.h0) + slot * b.units; }
  const T* c0(int64_t slot) const { return static_cast<const T*>(b.c0) + slot * b.units; }
  const T* x(int64_t row) const { return static_cast<const T*>(b.x) + b.rows.place(row) * b.inputs; }
  const T* y(int64_t row) const { return static_cast<const T*>(b.y) + b.rows.place(row) * b.y_stride; }
  const T* c(int64_t row) const { return static_cast<const T*>(b.c) + row * b.units; }
  T* gradient(int64_t place) const { return space.gradients + place * W::grad_row; }
  N* operand(int64_t place) const {
    if constexpr (W::paired) return space.operands + place * W::words(W::grad_row);
    else return gradient(place);
  }
  T* carry(int64_t slot) const { return space.carry + slot * space.carry_row; }
  T* carry_h(int64_t slot) const { return space.carry_h + slot * space.carry_row; }
  const T* saved(int64_t row) const {
    return low ? space.saved + (row - chunk_first) * W::saved_row
               : static_cast<const T*>(b.saved) + row * W::saved_row;
  }
  int64_t operand_panel() const { return W::words(space.panel); }
  int64_t after(int64_t slot) const { return space.chunk + slot; }
  int64_t nothing() const { return space.chunk + b.rows.slots; }

 public:
  BackwardPass(const Backward& b, const Member& member, char* scratch)
      : b(b), member(member), share(b.rows, b.units, member.id, member.count),
        space(b, member.id, member.count, scratch), panels(W::panels(b.units)), wide_panels(W::wide_panels(b.units)),
        saved_panel((b.saved == nullptr ? space.chunk : b.rows.total) * W::saved_row), low(b.saved == nullptr) {}

  void run() {
    prepare();
    for (int64_t end = b.rows.steps; end > 0;) {
      const int64_t start = chunk_start(b.rows, end, space.chunk);
      const auto [first, count] = stretch_of(b.rows, start, end);
      chunk_first = first;
      if constexpr (!W::paired) {
        if (low) gates_again(start, end, count);
      }
      for (int64_t s = end - 1; s >= start; --s) step(s, s + 1 == end);
      member.sync();
      into_initial(start, end);
      into_input(count);
      into_weights(start, end, count);
      if constexpr (Cell::own) into_more(start, end);
      keep_for_next(step_at(b.rows, start));
      member.sync();
      end = start;
    }
    finish();
  }

 private:
  void prepare() {
    const int id = share.id;
    const Weights& w = b.weights;
    if (Cell::dense)
      pack_backward_operands<Cell>(w.hh, b.units, b.units, Cell::hidden_gates, space.h_panels, space.room,
                                   share.even(wide_panels, id), share.even(wide_panels, id + 1));
    if (low) {  // never of paired operands
      const int64_t from = share.even(panels, id), to = share.even(panels, id + 1);
      pack_forward<Cell>(static_cast<const T*>(w.ih), b.units, b.inputs, Cell::input_gates, space.x_forward, from, to);
      if (Cell::dense)
        pack_forward<Cell>(static_cast<const T*>(w.hh), b.units, b.units, Cell::hidden_gates, space.h_forward, from,
                           to);
    }
    if (id == 0) {
      pack_bias<Cell>(w, b.units, space.bias, space.more);
      clear(space.dmore, panels * W::panel_units * Cell::A);
    }
    if (b.dx != nullptr) {
      const int64_t count = W::wide_panels(b.inputs);
      pack_backward_operands<Cell>(w.ih, b.units, b.inputs, Cell::input_gates, space.x_panels, space.room,
                                   share.even(count, id), share.even(count, id + 1));
    }
    const int64_t x_size = (b.inputs + 1) * W::C * W::L, h_size = (b.units + 1) * W::C * W::L;
    for (int64_t p = share.even(panels, id); p < share.even(panels, id + 1); ++p) {
      clear(space.dih + p * x_size, x_size);
      clear(space.dhh + p * h_size, h_size);
      clear(operand(nothing()) + p * operand_panel(), W::words(W::grad_row));
    }
    // Unit vectors beyond the last wide panel are never computed, but the products read them.
    if (wide_panels * wide < panels * Cell::units && share.even(panels, id + 1) == panels)
      clear(operand(0) + (panels - 1) * operand_panel(), operand_panel());
    const int64_t alive = b.rows.steps > 0 ? b.rows.sizes[0] : 0;
    for (int64_t j = id; j < b.rows.slots; j += share.count) {
      T *dh0 = static_cast<T*>(b.dh0) + j * b.units, *dc0 = static_cast<T*>(b.dc0) + j * b.units;
      clear(carry(j), space.carry_row);
      if (b.noise.on) clear(carry_h(j), space.carry_row);
      if (Cell::has_c && b.dcn != nullptr) copy(static_cast<const T*>(b.dcn) + j * b.units, carry(j), b.units);
      clear(dh0, b.units);
      if (Cell::has_c) clear(dc0, b.units);
      if (j < alive) continue;  // a sequence without a step ends in the state it begins with
      if (b.dhn != nullptr) copy(static_cast<const T*>(b.dhn) + j * b.units, dh0, b.units);
      if (Cell::has_c) copy(carry(j), dc0, b.units);
    }
    member.sync();
  }

  void step(int64_t s, bool last_of_chunk) {
    const Step step = step_at(b.rows, s);
    const bool final = s + 1 == b.rows.steps;
    const Step next = final ? Step{} : step_at(b.rows, s + 1);
    int64_t count = 0, following = 0;  // `following`: rows up to the last one that has a next step
    for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j), ++count) {
      const int64_t row = step.first + j;
      const bool ends = j >= next.count, follows = !ends && !begins(b.rows, next, j), fresh = begins(b.rows, step, j);
      BackwardRow<T, N>& to = space.rows[count];
      to.next = operand(follows ? (last_of_chunk ? after(j) : next.first + j - chunk_first) : nothing());
      to.dy = b.dy == nullptr ? nullptr : static_cast<const T*>(b.dy) + b.rows.place(row) * b.dy_stride;
      to.dhn = ends && b.dhn != nullptr ? static_cast<const T*>(b.dhn) + j * b.units : nullptr;
      to.saved = saved(row);
      to.h_before = fresh ? h0(j) : y(step.before + j);
      if constexpr (Cell::has_c) to.c_before = fresh ? c0(j) : c(step.before + j);
      to.carry = carry(j);
      to.gradient = gradient(row - chunk_first), to.operand = operand(row - chunk_first);
      if (b.noise.on) {
        to.carry_h = carry_h(j);
        to.keys = keys_of(b.noise, step.time, j);
      }
      if (follows) following = count + 1;
    }
    const int64_t first = share.panel(wide_panels, share.id), last = share.panel(wide_panels, share.id + 1);
    for (int64_t q = first; q < last; ++q)
      in_tiles<wide_rows>(count, [&](int64_t at, int n) { step_tile(space.rows + at, n, q, at < following); });
    for (int64_t j = share.first_slot(); j < step.count; j = share.next_slot(j))
      if (begins(b.rows, step, j)) settle(j, first * width, min(last * width, b.units));
    if (share.by_units()) member.sync();
  }

  // Which gate gradients belong to the hidden product (`from` = hidden_at) or to the input product (0).
  Side side(int from) const {
    constexpr int runs = Cell::D == Cell::G ? 1 : Cell::units;
    constexpr int L = W::L / W::held;
    return {panels, operand_panel(), from * L, runs, Cell::D * L, W::C * L / runs};
  }

  // The sums of at most wide_rows rows, times panel q of some packed weights.
  void product(const N* const* rows, int n, int from, const N* weights, int64_t q, vec<T>* sums) const {
    weights += q * W::words(W::depth(b.units)) * width;
    with_rows<wide_rows>(
        n, [&](auto tile) { back_product<N, decltype(tile)::value, wide>(rows, side(from), weights, sums); });
  }

  void step_tile(const BackwardRow<T, N>* rows, int n, int64_t q, bool follows) {
    vec<T> sums[wide_rows * wide];
    if (Cell::dense && follows) {
      const N* next[wide_rows];
      for (int r = 0; r < n; ++r) next[r] = rows[r].next;
      product(next, n, Cell::hidden_at, space.h_panels, q, sums);
    } else {
      std::memset(sums, 0, sizeof sums);
    }
    for (int v = 0; v < wide && q * wide + v < panels * Cell::units; ++v)
      for (int r = 0; r < n; ++r) {
        if (b.noise.on) {
          differentiate<true>(rows[r], sums[r * wide + v], q * wide + v);
        } else {
          differentiate<false>(rows[r], sums[r * wide + v], q * wide + v);
        }
      }
  }

  // One row, one unit vector: from dL/dh, as far as it comes from the next step, to the gradients of the gates.
  template <bool noisy> void differentiate(const BackwardRow<T, N>& row, vec<T> dh, int64_t vector) {
    const int64_t unit = vector * W::L, p = vector / Cell::units, place = vector % Cell::units;
    const int count = in_vector<T>(b.units - unit);
    vec<T> saved[Cell::S], d[Cell::D];
    Before<T> before{};
    if (row.dy != nullptr) dh += load(row.dy + unit, count);
    if (row.dhn != nullptr) dh += load(row.dhn + unit, count);
    if constexpr (Cell::sees_h) before.h = load(row.h_before + unit, count);
    if constexpr (Cell::has_c) before.c = load(row.c_before + unit, count);
    for (int i = 0; i < Cell::S; ++i) saved[i] = load(row.saved + p * saved_panel + (place * Cell::S + i) * W::L);
    vec<T> kept_h{}, kept_c{}, carried = load(row.carry + unit);
    if constexpr (!Cell::has_c && (Cell::carries || noisy)) dh += carried, carried = vec<T>{};
    if constexpr (noisy) {
      before.keep = kept<T>(b.noise, row.keys, unit);
      if constexpr (Cell::has_c) {
        dh += load(row.carry_h + unit);
        carried = unzoned<T>(b.noise, row.keys.c, b.noise.hold_c, b.noise.share_c, unit, carried, kept_c);
      }
      dh = unzoned<T>(b.noise, row.keys.h, b.noise.hold_h, b.noise.share_h, unit, dh, kept_h);
    }
    Cell::template backward<noisy>(saved, space.more + vector * Cell::A * W::L, before, dh, carried, d);
    if constexpr (noisy) {
      carried += Cell::has_c ? kept_c : kept_h;
      if constexpr (Cell::has_c) store(row.carry_h + unit, kept_h);
    }
    if constexpr (Cell::carries || noisy) store(row.carry + unit, carried);
    // Beyond the last unit 0 may have met infinity; the products of the step before sum over those lanes too.
    if (count < W::L)
      for (int i = 0; i < Cell::D; ++i) d[i] = only<T>(d[i], count);
    T* to = row.gradient + p * space.panel + place * Cell::D * W::L;
    for (int i = 0; i < Cell::D; ++i) store(to + i * W::L, d[i]);
    if constexpr (W::paired)
      for (int i = 0; i < Cell::D; ++i)
        store_pairs(row.operand + p * operand_panel() + (place * Cell::D + i) * W::L / 2, d[i], W::L);
  }

  // A row that began with the initial state hands what it carries to that state's gradient.
  void settle(int64_t slot, int64_t from, int64_t to) {
    T* target = static_cast<T*>(Cell::has_c ? b.dc0 : b.dh0) + slot * b.units;
    hand_over(carry(slot), target, from, to);
    if (Cell::has_c && b.noise.on) hand_over(carry_h(slot), static_cast<T*>(b.dh0) + slot * b.units, from, to);
  }

  // The gates of a chunk from its inputs and states, as forward had them.
  void gates_again(int64_t start, int64_t end, int64_t total) {
    int64_t count = 0, seen = 0;
    const int64_t from = share.even(total, share.id), to = share.even(total, share.id + 1);
    for_rows(b.rows, start, end, [&](const Step& step, int64_t j) {
      if (seen++ < from || seen > to) return;
      const bool fresh = begins(b.rows, step, j);
      ForwardRow<Cell>& row = space.again[count++];
      row.h = row.operand = fresh ? h0(j) : y(step.before + j);
      if constexpr (Cell::has_c) row.c = fresh ? c0(j) : c(step.before + j);
      row.pre = const_cast<T*>(saved(step.first + j));
      row.y = space.unread, row.c_after = space.unread + b.units;
      if (b.noise.on) row.keys = keys_of(b.noise, step.time, j);
    });
    for (int64_t p = 0; p < panels; ++p) {
      in_tiles<W::R>(count, [&](int64_t at, int n) {
        const T* x[W::R];
        T* pre[W::R];
        for (int r = 0; r < n; ++r) {
          const int64_t row = chunk_first + (space.again[at + r].pre - space.saved) / W::saved_row;
          x[r] = this->x(row), pre[r] = space.again[at + r].pre + p * saved_panel;
        }
        project_tile<Cell>(x, pre, n, space.x_forward + p * b.inputs * W::C * W::L, space.bias + p * W::C * W::L,
                           b.inputs);
      });
      step_panel<Cell>(space.again, count,
                       Panel<Cell>{space.h_forward + p * b.units * W::C * W::L, space.more + p * Cell::A * W::panel_units,
                                b.units, p * W::panel_units, p * saved_panel, true},
                       b.noise);
    }
    member.sync();
  }

  // dh0 of every row of the chunk that began with the initial state.
  void into_initial(int64_t start, int64_t end) {
    if (!Cell::dense) return;
    const int64_t count = list_fresh(b.rows, start, end, chunk_first, space.fresh, space.fresh_slot);
    for (int64_t q = share.even(wide_panels, share.id); q < share.even(wide_panels, share.id + 1); ++q)
      in_tiles<wide_rows>(count, [&](int64_t at, int n) {
        vec<T> sums[wide_rows * wide];
        const N* rows[wide_rows] = {};
        for (int r = 0; r < n; ++r) rows[r] = operand(space.fresh[at + r]);
        product(rows, n, Cell::hidden_at, space.h_panels, q, sums);
        for (int r = 0; r < n; ++r)
          for (int v = 0; v < wide; ++v) {
            const int64_t unit = q * width + v * W::L;
            const int some = in_vector<T>(b.units - unit);
            T* to = static_cast<T*>(b.dh0) + space.fresh_slot[at + r] * b.units + unit;
            store(to, load(to, some) + sums[r * wide + v], some);
          }
      });
  }

  void into_input(int64_t count) {
    if (b.dx == nullptr) return;
    const int64_t tiles = blocks(count, wide_rows);
    const int64_t from = share.even(tiles, share.id) * wide_rows,
                  to = min(count, share.even(tiles, share.id + 1) * wide_rows);
    for (int64_t q = 0; q < W::wide_panels(b.inputs); ++q)
      in_tiles<wide_rows>(to - from, [&](int64_t at, int n) {
        vec<T> sums[wide_rows * wide];
        const N* rows[wide_rows] = {};
        for (int r = 0; r < n; ++r) rows[r] = operand(from + at + r);
        product(rows, n, 0, space.x_panels, q, sums);
        for (int r = 0; r < n; ++r)
          for (int v = 0; v < wide; ++v) {
            const int64_t column = q * width + v * W::L;
            const int some = in_vector<T>(b.inputs - column);
            store(static_cast<T*>(b.dx) + b.rows.place(chunk_first + from + at + r) * b.inputs + column,
                  sums[r * wide + v], some);
          }
      });
  }

  void into_weights(int64_t start, int64_t end, int64_t count) {
    int64_t words = count;  // rows of what the products read
    if constexpr (W::paired) {
      pair_chunk(start, end, count);
      words = W::words(count);
      list_inputs(0, words, [&](int64_t i) { return space.x_rows + i * b.inputs; }, space.x_at);
      list_inputs(0, words, [&](int64_t i) { return space.h_rows + i * b.units; }, space.h_at);
    } else {
      list_inputs(chunk_first, count, [&](int64_t row) { return x(row); }, space.x_at);
      list_before(start, end, space.h_at);
    }
    // All tiles of all panels in a row, each member an even part of them.
    const int64_t x_tiles = blocks(b.inputs, W::R), h_tiles = Cell::dense ? blocks(b.units, W::R) : 0,
                  tiles = x_tiles + h_tiles;
    int64_t at = share.even(panels * tiles, share.id);
    for (const int64_t last = share.even(panels * tiles, share.id + 1); at < last;) {
      const int64_t p = at / tiles, from = at % tiles, to = min(tiles, from + last - at);
      add_outer(space.x_at, words, b.inputs, 0, p, space.dih, count, {min(from, x_tiles), min(to, x_tiles)});
      add_outer(space.h_at, words, b.units, Cell::hidden_at, p, space.dhh, count,
                {max(from - x_tiles, 0), max(to - x_tiles, 0)});
      at += to - from;
    }
  }

  void list_before(int64_t start, int64_t end, const T** found) const {
    OSTINATO_ISA::list_before(
        b.rows, start, end, chunk_first, [&](int64_t slot) { return h0(slot); }, [&](int64_t row) { return y(row); }, found);
  }

  // What the chunk's sums over rows read, two rows in a word.
  void pair_chunk(int64_t start, int64_t end, int64_t count) {
    list_before(start, end, space.before);
    const int64_t two = W::words(count);
    for (int64_t i = share.even(two, share.id); i < share.even(two, share.id + 1); ++i) {
      const int64_t n = 2 * i;
      const bool both = n + 1 < count;
      const int64_t row = chunk_first + n;
      pair_rows(x(row), both ? x(row + 1) : nullptr, b.inputs, space.x_rows + i * b.inputs);
      pair_rows(space.before[n], both ? space.before[n + 1] : nullptr, b.units, space.h_rows + i * b.units);
      for (int64_t p = 0; p < panels; ++p) {
        const T* from = gradient(n) + p * space.panel;
        pair_rows(from, both ? from + W::grad_row : nullptr, W::grad_row, gradient_rows(p) + i * W::grad_row);
      }
    }
    member.sync();
  }
  N* gradient_rows(int64_t p) const { return space.gradient_rows + p * W::words(space.chunk) * W::grad_row; }

  struct Tiles {
    int64_t from, to;
  };

  // Adds the product of some columns of the rows with the gate gradients of panel p, and, with the first, their sum.
  void add_outer(const N* const* rows, int64_t words, int64_t columns, int from, int64_t p, T* sums, int64_t count,
                 const Tiles& tiles) {
    int place[W::C];
    for (int v = 0; v < Cell::units; ++v)
      for (int g = 0; g < Cell::G; ++g) place[v * Cell::G + g] = v * Cell::D + from + g;
    T* panel = sums + p * (columns + 1) * W::C * W::L;
    const T* gradients = gradient(0) + p * space.panel;
    const N* operands;
    if constexpr (W::paired) operands = gradient_rows(p);
    else operands = gradients;
    for (int64_t i = tiles.from; i < tiles.to; ++i) {
      const int64_t at = i * W::R;
      with_rows<W::R>(static_cast<int>(min(W::R, columns - at)), [&](auto tile) {
        outer_rows<N, decltype(tile)::value, W::C>(panel + at * W::C * W::L, rows, words, at, operands, W::grad_row,
                                                   place);
      });
    }
    if (tiles.from > 0 || tiles.to == 0) return;
    T* bias = panel + columns * W::C * W::L;
    for (int c = 0; c < W::C; ++c) {
      vec<T> sum = load(bias + c * W::L);
      for (int64_t n = 0; n < count; ++n) sum += load(gradients + n * W::grad_row + place[c] * W::L);
      store(bias + c * W::L, sum);
    }
  }

  // The gradients of the cell's further weights, a sum over rows for each unit.
  void into_more(int64_t start, int64_t end) {
    const int64_t vectors = panels * Cell::units;
    for (int64_t v = share.even(vectors, share.id); v < share.even(vectors, share.id + 1); ++v) {
      const int64_t unit = v * W::L;
      const int count = in_vector<T>(b.units - unit);
      vec<T> sum[Cell::A];
      T* target = space.dmore + v * Cell::A * W::L;
      for (int a = 0; a < Cell::A; ++a) sum[a] = load(target + a * W::L);
      for_rows(b.rows, start, end, [&](const Step& step, int64_t j) {
        const bool fresh = begins(b.rows, step, j);
        const int64_t row = step.first + j;
        vec<T> h_before{}, c_before{}, c_after{};
        if constexpr (Cell::sees_h) h_before = load((fresh ? h0(j) : y(step.before + j)) + unit, count);
        if constexpr (Cell::has_c) {
          c_before = load((fresh ? c0(j) : c(step.before + j)) + unit, count);
          c_after = cell_state(row, v, c_before, step.time, j);
        }
        Cell::add(sum, gradient(row - chunk_first) + v / Cell::units * space.panel + v % Cell::units * Cell::D * W::L,
                  h_before, c_before, c_after);
      });
      for (int a = 0; a < Cell::A; ++a) store(target + a * W::L, sum[a]);
    }
  }

  // The cell state that a step of `row` computed (zoneout may then have held back another): f c + i g.
  vec<T> cell_state(int64_t row, int64_t v, vec<T> c_before, int64_t time, int64_t slot) const {
    const T* from = saved(row) + v * saved_panel;
    vec<T> g = load(from + 2 * W::L);
    if (b.noise.on) g *= kept<T>(b.noise, keys_of(b.noise, time, slot), v * W::L);
    return load(from + W::L) * c_before + load(from) * g;
  }

  // The gate gradients of the chunk's first step, for the chunk that comes next.
  void keep_for_next(const Step& first) {
    for (int64_t p = share.even(panels, share.id); p < share.even(panels, share.id + 1); ++p)
      std::memmove(operand(after(0)) + p * operand_panel(), operand(first.first - chunk_first) + p * operand_panel(),
                   static_cast<size_t>(first.count * W::words(W::grad_row)) * sizeof(N));
  }

  void finish() {
    const int64_t from = share.even(panels, share.id), to = share.even(panels, share.id + 1);
    const int64_t x_stride = b.inputs + 1, h_stride = b.units + 1;
    unpack_forward<Cell>(space.dih, b.units, b.inputs, x_stride, Cell::input_gates, static_cast<T*>(b.dih), from, to);
    if (Cell::dense)
      unpack_forward<Cell>(space.dhh, b.units, b.units, h_stride, Cell::hidden_gates, static_cast<T*>(b.dhh), from, to);
    for (int a = 0; Cell::own && a < Cell::A; ++a)
      for (int64_t v = share.even(panels * Cell::units, share.id); v < share.even(panels * Cell::units, share.id + 1);
           ++v)
        store(static_cast<T*>(b.dmore[a]) + v * W::L, load(space.dmore + (v * Cell::A + a) * W::L),
              in_vector<T>(b.units - v * W::L));
    if (b.dbias_ih == nullptr) return;
    const T* x_sum = space.dih + b.inputs * W::C * W::L;
    const T* h_sum = space.dhh + b.units * W::C * W::L;
    unpack_forward<Cell>(x_sum, b.units, 1, x_stride, Cell::input_gates, static_cast<T*>(b.dbias_ih), from, to);
    if (Cell::dense)
      unpack_forward<Cell>(h_sum, b.units, 1, h_stride, Cell::hidden_gates, static_cast<T*>(b.dbias_hh), from, to);
  }
};

template <class Cell> void backward(const Backward& b, const Member& member, char* scratch) {
  BackwardPass<Cell>(b, member, scratch).run();
}

template <class Cell> int64_t backward_scratch(const Backward& b, int members) {
  return BackwardSpace<Cell>(b, 0, members, nullptr).bytes;
}

template <class C> constexpr Kernel kernel() {
  return {
      [](int64_t units, int64_t total) { return Layout<C>::panels(units) * total * Layout<C>::saved_row; },
      forward_scratch<C>, backward_scratch<C>, members_for<C>, forward<C>, backward<C>,
  };
}

}  // namespace ostinato::OSTINATO_ISA
