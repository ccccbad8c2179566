// Weights in the order in which the kernels read them, and gradients back in the order of torch.nn.
//
// A panel is `units` unit vectors with all their gates: C = G * units vectors, side by side for each k of the sum.
#pragma once

#include "gemm.h"
#include "layer.h"
#include "pairs.h"

namespace ostinato::OSTINATO_ISA {

// The same cell, whose products with matrices are those of bfloat16, summed in float32.
template <class C> struct Paired : C {};

template <class Cell> struct Operand {
  using Type = typename Cell::Number;
};
template <class C> struct Operand<Paired<C>> {
  using Type = Bf16Pair;
};

template <class Cell> struct Layout {
  using T = typename Cell::Number;
  using N = typename Operand<Cell>::Type;  // as which states, weights and gradients enter products
  static constexpr int held = Factor<N>::held;
  static constexpr bool paired = held == 2;
  static constexpr int L = lanes<T>, C = Cell::G * Cell::units, R = rows_of<C>;
  static constexpr int panel_units = Cell::units * L;
  static constexpr int saved_row = Cell::units * Cell::S * L;  // numbers a row and panel
  static constexpr int grad_row = Cell::units * Cell::D * L;
  static constexpr int wide = 2, wide_rows = rows_of<wide>;     // panels of plain columns, without gates

  static int64_t panels(int64_t units) { return blocks(units, panel_units); }
  static int64_t depth(int64_t units) { return panels(units) * C * L; }  // k of a product over all gates
  static int64_t words(int64_t depth) { return blocks(depth, held); }
  static int64_t wide_panels(int64_t columns) { return blocks(columns, wide * L); }
};

// L vectors of L numbers, transposed in registers.
template <class T> inline __attribute__((always_inline)) void transpose(vec<T> (&rows)[lanes<T>]) {
  constexpr int L = lanes<T>;
#pragma GCC unroll 4
  for (int s = L / 2; s > 0; s /= 2) {
    typename Vec<T>::bits first{}, second{};
    halves<T>(s, first, second);
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i)
      if ((i & s) == 0) {
        const vec<T> a = rows[i], b = rows[i + s];
        rows[i] = __builtin_shuffle(a, b, first);
        rows[i + s] = __builtin_shuffle(a, b, second);
      }
  }
}

// A block of at most L times L numbers of a matrix with rows of from_stride, transposed, what is missing taken as 0.
template <class T>
inline void transpose_block(const T* from, int64_t from_stride, int64_t rows, int64_t columns, T* to,
                            int64_t to_stride, int64_t to_width) {
  constexpr int L = lanes<T>;
  vec<T> block[L] = {};
  if (columns >= L) {
    for (int i = 0; i < min(L, rows); ++i) block[i] = load(from + i * from_stride);
  } else {
    for (int i = 0; i < min(L, rows); ++i) block[i] = load(from + i * from_stride, static_cast<int>(columns));
  }
  transpose<T>(block);
  for (int i = 0; i < min(L, columns); ++i) store(to + i * to_stride, block[i], static_cast<int>(min(L, to_width)));
}

// (G H, K) to panel p of (K, units, G, L); units beyond H are 0.
template <class Cell, class T>
void pack_forward_panel(const T* from, int64_t units, int64_t depth, const int (&gates)[Cell::G], T* to, int64_t p) {
  using W = Layout<Cell>;
  for (int c = 0; c < W::C; ++c) {
    const int64_t unit = (p * Cell::units + c / Cell::G) * W::L;
    const T* source = from + (gates[c % Cell::G] * units + unit) * depth;
    for (int64_t k = 0; k < depth; k += W::L)
      transpose_block<T>(source + k, depth, units - unit, depth - k, to + (k * W::C + c) * W::L, W::C * W::L, W::L);
  }
}

template <class Cell, class T>
void pack_forward(const T* from, int64_t units, int64_t depth, const int (&gates)[Cell::G], T* to, int64_t first,
                  int64_t last) {
  using W = Layout<Cell>;
  for (int64_t p = first; p < last; ++p)
    pack_forward_panel<Cell>(from, units, depth, gates, to + p * depth * W::C * W::L, p);
}

// Gradients in the layout of pack_forward, the panels `stride` deep, back.
template <class Cell, class T>
void unpack_forward(const T* from, int64_t units, int64_t depth, int64_t stride, const int (&gates)[Cell::G], T* to,
                    int64_t first, int64_t last) {
  using W = Layout<Cell>;
  for (int64_t p = first; p < last; ++p)
    for (int c = 0; c < W::C; ++c) {
      const int64_t unit = (p * Cell::units + c / Cell::G) * W::L;
      const T* column = from + (p * stride * W::C + c) * W::L;
      T* target = to + (gates[c % Cell::G] * units + unit) * depth;
      for (int64_t k = 0; k < depth && unit < units; k += W::L)
        transpose_block<T>(column + k * W::C * W::L, W::C * W::L, depth - k, units - unit, target + k, depth,
                           depth - k);
    }
}

// (G H, K) to wide panel q of K columns: all gates of all units in the order of the gradients, `wide` vectors each.
template <class Cell, class T>
void pack_backward_panel(const T* from, int64_t units, int64_t columns, const int (&gates)[Cell::G], T* to, int64_t q) {
  using W = Layout<Cell>;
  constexpr int width = W::wide * W::L;
  const int64_t column = q * width, count = min(width, columns - column);
  for (int64_t vector = 0; vector < W::panels(units) * Cell::units; ++vector)
    for (int g = 0; g < Cell::G; ++g)
      for (int64_t u = 0; u < W::L; ++u) {
        T* row = to + ((vector * Cell::G + g) * W::L + u) * width;
        const int64_t unit = vector * W::L + u;
        const bool real = unit < units;
        const T* source = from + (gates[g] * units + unit) * columns + column;
        if (real && count == width) {
          for (int c = 0; c < width; ++c) row[c] = source[c];
        } else {
          for (int64_t c = 0; c < width; ++c) row[c] = real && c < count ? source[c] : T(0);
        }
      }
}

template <class Cell, class T>
void pack_backward(const T* from, int64_t units, int64_t columns, const int (&gates)[Cell::G], T* to, int64_t first,
                   int64_t last) {
  using W = Layout<Cell>;
  for (int64_t q = first; q < last; ++q)
    pack_backward_panel<Cell>(from, units, columns, gates, to + q * W::depth(units) * W::wide * W::L, q);
}

// pack(panel, where) for some panels of `depth` rows of `width` numbers, as products read them: paired, by way of `room`.
template <class Cell, class Pack>
void pack_operands(int64_t depth, int64_t width, int64_t first, int64_t last, typename Layout<Cell>::N* to,
                   typename Cell::Number* room, Pack pack) {
  const int64_t words = Layout<Cell>::words(depth);
  for (int64_t p = first; p < last; ++p) {
    if constexpr (Layout<Cell>::paired) {
      pack(p, room);
      for (int64_t k = 0; k < words; ++k)
        pair_rows(room + 2 * k * width, 2 * k + 1 < depth ? room + (2 * k + 1) * width : nullptr, width,
                  to + (p * words + k) * width);
    } else {
      pack(p, to + p * words * width);
    }
  }
}

template <class Cell>
void pack_forward_operands(const void* from, int64_t units, int64_t depth, const int (&gates)[Cell::G],
                           typename Layout<Cell>::N* to, typename Cell::Number* room, int64_t first, int64_t last) {
  using T = typename Cell::Number;
  pack_operands<Cell>(depth, Layout<Cell>::C * lanes<T>, first, last, to, room, [&](int64_t p, T* panel) {
    pack_forward_panel<Cell>(static_cast<const T*>(from), units, depth, gates, panel, p);
  });
}

template <class Cell>
void pack_backward_operands(const void* from, int64_t units, int64_t columns, const int (&gates)[Cell::G],
                            typename Layout<Cell>::N* to, typename Cell::Number* room, int64_t first, int64_t last) {
  using T = typename Cell::Number;
  using W = Layout<Cell>;
  pack_operands<Cell>(W::depth(units), W::wide * W::L, first, last, to, room, [&](int64_t q, T* panel) {
    pack_backward_panel<Cell>(static_cast<const T*>(from), units, columns, gates, panel, q);
  });
}

// Biases of the input columns (the hidden bias added where the cell folds it), and the cell's further parameters, A
// vectors a unit vector.
template <class Cell, class T> void pack_bias(const Weights& weights, int64_t units, T* bias, T* more) {
  using W = Layout<Cell>;
  const T* bias_ih = static_cast<const T*>(weights.bias_ih);
  const T* bias_hh = static_cast<const T*>(weights.bias_hh);
  for (int64_t vector = 0; vector < W::panels(units) * Cell::units; ++vector)
    for (int64_t u = 0; u < W::L; ++u) {
      const int64_t unit = vector * W::L + u;
      const bool real = unit < units;
      for (int g = 0; g < Cell::G; ++g) {
        const int64_t at = Cell::input_gates[g] * units + unit;
        T sum = real && bias_ih != nullptr ? bias_ih[at] : T(0);
        if (real && Cell::folds[g] && bias_hh != nullptr) sum += bias_hh[at];
        bias[(vector * Cell::G + g) * W::L + u] = sum;
      }
      for (int a = 0; a < Cell::A; ++a) {
        // What is no weight of its own is the hidden bias of the last gate, which the input side cannot hold.
        const T* from = Cell::own                ? static_cast<const T*>(weights.more[a]) + unit
                        : bias_hh == nullptr ? nullptr
                                                 : bias_hh + (Cell::G - 1) * units + unit;
        more[(vector * Cell::A + a) * W::L + u] = real && from != nullptr ? *from : T(0);
      }
    }
}

}  // namespace ostinato::OSTINATO_ISA
