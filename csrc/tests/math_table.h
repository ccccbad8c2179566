// The functions of vec_math.h, one instruction set each, over arrays.
#pragma once

#include <cstdint>

namespace ostinato::tests {

enum Function { exponential, exponential_minus_one, hyperbolic_tangent, logistic_function, functions };

// `count` is a multiple of 16.
struct Mathematics {
  const char* name;
  void (*float32)(Function, const float* from, float* to, int64_t count);
  void (*float64)(Function, const double* from, double* to, int64_t count);
};

extern const Mathematics mathematics_baseline, mathematics_avx2, mathematics_avx512, mathematics_avx512_bf16;

}  // namespace ostinato::tests
