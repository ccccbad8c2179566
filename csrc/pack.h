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
  static constexpr int wide = 4, wide_rows = rows_of<wide>;     // panels of plain columns, without gates

  static int64_t panels(int64_t units) { return blocks(units, panel_units); }
  static int64_t depth(int64_t units) { return panels(units) * C * L; }  // k of a product over all gates
  static int64_t wide_panels(int64_t columns) { return blocks(columns, wide * L); }
};

// (G H, K) to panels p of (K, units, G, L); units beyond H are 0.
template <class Cell, class T>
void pack_forward(const T* from, int64_t units, int64_t depth, const int (&gates)[Cell::G], T* to, int64_t first,
                  int64_t last) {
  using W = Layout<Cell>;
  for (int64_t p = first; p < last; ++p) {
    T* panel = to + p * depth * W::C * W::L;
    for (int v = 0; v < Cell::units; ++v)
      for (int g = 0; g < Cell::G; ++g) {
        const int64_t unit = (p * Cell::units + v) * W::L;
        const int64_t count = max(0, min(W::L, units - unit));
        T* column = panel + (v * Cell::G + g) * W::L;
        const T* source = from + (gates[g] * units + unit) * depth;
        constexpr int tile = 16;  // columns that stay in the first cache while a line of each is read
        for (int64_t k0 = 0; k0 < depth; k0 += tile)
          for (int64_t u = 0; u < W::L; ++u)
            for (int64_t k = k0; k < min(depth, k0 + tile); ++k)
              column[k * W::C * W::L + u] = u < count ? source[u * depth + k] : T(0);
      }
  }
}

// Gradients in the layout of pack_forward, back.
template <class Cell, class T>
void unpack_forward(const T* from, int64_t units, int64_t depth, int64_t stride, const int (&gates)[Cell::G], T* to,
                    int64_t first, int64_t last) {
  using W = Layout<Cell>;
  for (int64_t p = first; p < last; ++p) {
    const T* panel = from + p * stride * W::C * W::L;
    for (int v = 0; v < Cell::units; ++v)
      for (int g = 0; g < Cell::G; ++g) {
        const int64_t unit = (p * Cell::units + v) * W::L;
        const int64_t count = min(W::L, units - unit);
        const T* column = panel + (v * Cell::G + g) * W::L;
        T* target = to + (gates[g] * units + unit) * depth;
        constexpr int tile = 16;
        for (int64_t k0 = 0; k0 < depth; k0 += tile)
          for (int64_t u = 0; u < count; ++u)
            for (int64_t k = k0; k < min(depth, k0 + tile); ++k)
              target[u * depth + k] = column[k * W::C * W::L + u];
      }
  }
}

// (G H, K) to wide panels of K columns: for each, all gates of all units in the order of the gradients, 4 vectors each.
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

// Biases of the input columns (the hidden bias added where the cell folds it), and the cell's further parameters.
template <class Cell, class T>
void pack_bias(const T* bias_ih, const T* bias_hh, int64_t units, T* bias, T* more) {
  using W = Layout<Cell>;
  for (int64_t vector = 0; vector < W::panels(units) * Cell::units; ++vector)
    for (int64_t u = 0; u < W::L; ++u) {
      const int64_t unit = vector * W::L + u;
      const bool real = unit < units && bias_ih != nullptr;
      for (int g = 0; g < Cell::G; ++g) {
        const int64_t at = Cell::input_gates[g] * units + unit;
        T sum = real ? bias_ih[at] : T(0);
        if (real && Cell::folds[g]) sum += bias_hh[at];
        bias[(vector * Cell::G + g) * W::L + u] = sum;
      }
      if constexpr (Cell::A > 0) more[vector * W::L + u] = real ? bias_hh[(Cell::G - 1) * units + unit] : T(0);
    }
}

}  // namespace ostinato::OSTINATO_ISA
