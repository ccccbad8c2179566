// A layer's call in Python: addresses and sizes in, nothing out. Python checks what it hands over.
//
// A call is one layer in one direction or in both. Two directions share x, and their outputs stand side by side in rows
// of 2 H; everything else of the second direction follows that of the first.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "isa.h"

namespace ostinato {

using Addresses = std::vector<uintptr_t>;

// Sizes and places of one call, the same for forward and backward. `sizes` (T) is the address of the batch sizes, or 0:
// every one of the `steps` steps then holds all slots. `reset`: (D, N) bytes, or 0. `places`: of `count` rows of x and y
// those that the packed rows are (N), or 0.
struct Shape {
  int cell, number, threads, directions;
  bool reverse;  // of one direction; of two the second is
  int64_t inputs, units, steps, slots, total;
  uintptr_t sizes, reset;
  int64_t outputs;  // P of a projection, or 0
  Noise noise;  // of the first direction
  uintptr_t places;
  int64_t count;
  int64_t shown() const { return outputs > 0 ? outputs : units; }  // columns of h
  int64_t width() const { return number == static_cast<int>(Number::float64) ? 8 : 4; }
};

// The kernels of a cell, which must be there.
const Kernel& kernel(int cell, int number);

// What is kept for backward, of each direction: the gates, unless they are computed again (`low`), and the cell states
// of a cell that has them (has_c).
struct Kept {
  int64_t gates, each;
  Kept(const Shape& s, bool has_c, bool low)
      : gates(low ? 0 : kernel(s.cell, s.number).saved_size(s.units, s.total)),
        each(gates + (has_c ? s.total * s.units : 0)) {}
};

// How many places the weights of one direction have: the four, up to four more of the cell's own, and the projection.
constexpr int places = 9;

// x, h0, c0, y, hn, cn, kept, then the weights of each direction. `kept` is 0 in inference, and an initial state
// that is 0 is zero.
void forward(const Shape& s, bool has_c, bool low, const Addresses& a);

// x, h0, c0, y, kept, dy, dhn, dcn, dh0, dc0, then for each direction the weights, their gradients, and dx.
void backward(const Shape& s, bool has_c, bool low, const Addresses& a);

void bind_layer(nanobind::module_& m);

}  // namespace ostinato
