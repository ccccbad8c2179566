// The kernels of the instruction set this file is compiled for.
#pragma once

#include "backward.h"
#include "forward.h"
#include "isa.h"
#include "scan.h"
#include "staged_backward.h"
#include "stream_table.h"

namespace ostinato::OSTINATO_ISA {

template <class C> constexpr Kernel staged() {
  return {staged_saved_size<C>, staged_forward_scratch<C>, staged_backward_scratch<C>, members_for<typename C::Hidden>,
          staged_forward<C>,    staged_backward<C>};
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
           {kernel<Independent<float, false>>(), kernel<Independent<double, false>>()},
           {staged<Projected<Lstm<float, false>>>(), staged<Projected<Lstm<double, false>>>()},
           {staged<Projected<Lstm<float, true>>>(), staged<Projected<Lstm<double, true>>>()},
           {staged<Projected<CoupledLstm<float>>>(), staged<Projected<CoupledLstm<double>>>()},
           {staged<GruBefore<float>>(), staged<GruBefore<double>>()},
           {staged<NormLstm<float>>(), staged<NormLstm<double>>()},
           {staged<NormGru<float>>(), staged<NormGru<double>>()}},
          stream_table,
          {{scan_kernel<MinGru<float>>(), scan_kernel<MinGru<double>>()},
           {scan_kernel<MinLstm<float>>(), scan_kernel<MinLstm<double>>()},
           {scan_kernel<Qrnn<float>>(), scan_kernel<Qrnn<double>>()},
           {scan_kernel<Sru<float, false>>(), scan_kernel<Sru<double, false>>()},
           {scan_kernel<Sru<float, true>>(), scan_kernel<Sru<double, true>>()},
           {scan_kernel<RgLru<float>>(), scan_kernel<RgLru<double>>()},
           {scan_kernel<Lru<float>>(), scan_kernel<Lru<double>>()}}};
}

}  // namespace ostinato::OSTINATO_ISA
