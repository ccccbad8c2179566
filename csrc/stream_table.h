// The kernels of streams of the instruction set this file is compiled for.
#pragma once

#include "isa.h"
#include "stream_step.h"

namespace ostinato::OSTINATO_ISA {

constexpr StreamTable stream_table{
    {{stream_kernel<Elman<float, false>, Plain<float>>(), stream_kernel<Elman<double, false>, Plain<double>>(),
      stream_kernel<Elman<float, false>, Bfloat16>(), stream_kernel<Elman<float, false>, Int8>()},
     {stream_kernel<Elman<float, true>, Plain<float>>(), stream_kernel<Elman<double, true>, Plain<double>>(),
      stream_kernel<Elman<float, true>, Bfloat16>(), stream_kernel<Elman<float, true>, Int8>()},
     {stream_kernel<Lstm<float, false>, Plain<float>>(), stream_kernel<Lstm<double, false>, Plain<double>>(),
      stream_kernel<Lstm<float, false>, Bfloat16>(), stream_kernel<Lstm<float, false>, Int8>()},
     {stream_kernel<Gru<float>, Plain<float>>(), stream_kernel<Gru<double>, Plain<double>>(),
      stream_kernel<Gru<float>, Bfloat16>(), stream_kernel<Gru<float>, Int8>()}}};

}  // namespace ostinato::OSTINATO_ISA
