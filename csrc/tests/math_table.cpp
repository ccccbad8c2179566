// Compiled once for each instruction set, as OSTINATO_ISA.
#include "math_table.h"

#include "../vec_math.h"

#define OSTINATO_JOIN(a, b) a##b
#define OSTINATO_TABLE(isa) OSTINATO_JOIN(mathematics_, isa)
#define OSTINATO_TEXT(isa) #isa
#define OSTINATO_NAME(isa) OSTINATO_TEXT(isa)

namespace ostinato::tests {

namespace {

namespace isa = OSTINATO_ISA;

template <class T, class F> void each(const T* from, T* to, int64_t count, F&& function) {
  for (int64_t i = 0; i < count; i += isa::lanes<T>) isa::store(to + i, function(isa::load(from + i)));
}

template <class T> void apply(Function function, const T* from, T* to, int64_t count) {
  using V = isa::vec<T>;
  switch (function) {
    case exponential: return each(from, to, count, [](V x) { return isa::exp<T>(x); });
    case exponential_minus_one: return each(from, to, count, [](V x) { return isa::expm1<T>(x); });
    case hyperbolic_tangent: return each(from, to, count, [](V x) { return isa::tanh<T>(x); });
    default: return each(from, to, count, [](V x) { return isa::logistic<T>(x); });
  }
}

}  // namespace

extern const Mathematics OSTINATO_TABLE(OSTINATO_ISA);
const Mathematics OSTINATO_TABLE(OSTINATO_ISA) = {OSTINATO_NAME(OSTINATO_ISA), apply<float>, apply<double>};

}  // namespace ostinato::tests
