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
           {kernel<Lstm<float, false>>(), kernel<Lstm<double, false>>()},
           {kernel<Gru<float>>(), kernel<Gru<double>>()},
           {kernel<Lstm<float, true>>(), kernel<Lstm<double, true>>()},
           {kernel<CoupledLstm<float>>(), kernel<CoupledLstm<double>>()},
           {kernel<Independent<float, true>>(), kernel<Independent<double, true>>()},
           {kernel<Independent<float, false>>(), kernel<Independent<double, false>>()}}};
}

}  // namespace ostinato::OSTINATO_ISA
