// Weights in the order in which the kernels read them, and gradients back in the order of torch.nn.
//
// A panel is `units` unit vectors with all their gates: C = G * units vectors, side by side for each k of the sum.
#pragma once

#include "layer.h"
#include "vec.h"

namespace ostinato::OSTINATO_ISA {

template <class Cell> struct Layout {
  using T = typename Cell::Number;
  static constexpr int L = lanes<T>, C = Cell::G * Cell::units, R = rows_of<C>;
  static constexpr int panel_units = Cell::units * L;
  static constexpr int saved_row = Cell::units * Cell::S * L;  // numbers a row and panel
  static constexpr int grad_row = Cell::units * Cell::D * L;
  static constexpr int wide = 2, wide_rows = rows_of<wide>;     // panels of plain columns, without gates

  static int64_t panels(int64_t units) { return blocks(units, panel_units); }
  static int64_t depth(int64_t units) { return panels(units) * C * L; }  // k of a product over all gates
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

// (G H, K) to panels p of (K, units, G, L); units beyond H are 0.
template <class Cell, class T>
void pack_forward(const T* from, int64_t units, int64_t depth, const int (&gates)[Cell::G], T* to, int64_t first,
                  int64_t last) {
  using W = Layout<Cell>;
  for (int64_t p = first; p < last; ++p)
    for (int c = 0; c < W::C; ++c) {
      const int64_t unit = (p * Cell::units + c / Cell::G) * W::L;
      const T* source = from + (gates[c % Cell::G] * units + unit) * depth;
      T* column = to + (p * depth * W::C + c) * W::L;
      for (int64_t k = 0; k < depth; k += W::L)
        transpose_block<T>(source + k, depth, units - unit, depth - k, column + k * W::C * W::L, W::C * W::L, W::L);
    }
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

// (G H, K) to wide panels of K columns: for each, all gates of all units in the order of the gradients, `wide` vectors each.
template <class Cell, class T>
void pack_backward(const T* from, int64_t units, int64_t columns, const int (&gates)[Cell::G], T* to, int64_t first,
                   int64_t last) {
  using W = Layout<Cell>;
  constexpr int width = W::wide * W::L;
  const int64_t depth = W::depth(units);
  for (int64_t q = first; q < last; ++q) {
    T* panel = to + q * depth * width;
    const int64_t column = q * width, count = min(width, columns - column);
    for (int64_t vector = 0; vector < W::panels(units) * Cell::units; ++vector)
      for (int g = 0; g < Cell::G; ++g)
        for (int64_t u = 0; u < W::L; ++u) {
          T* row = panel + ((vector * Cell::G + g) * W::L + u) * width;
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
