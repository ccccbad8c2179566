// The kernels of the instruction set this file is compiled for.
#pragma once

#include "backward.h"
#include "forward.h"

namespace ostinato::OSTINATO_ISA {

template <class C> constexpr Kernel kernel() {
  return {
      [](int64_t units, int64_t total) { return Layout<C>::panels(units) * total * Layout<C>::saved_row; },
      forward_scratch<C>, backward_scratch<C>, members_for<C>, forward<C>, backward<C>,
  };
}

constexpr Isa make(const char* name) {
  return {name,
          {{kernel<Elman<float, false>>(), kernel<Elman<double, false>>()},
           {kernel<Elman<float, true>>(), kernel<Elman<double, true>>()},
           {kernel<Lstm<float>>(), kernel<Lstm<double>>()},
           {kernel<Gru<float>>(), kernel<Gru<double>>()}}};
}

}  // namespace ostinato::OSTINATO_ISA
