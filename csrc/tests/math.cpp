// Errors of exp, exp - 1, tanh and the logistic function in ULP, against the C library in a wider format.
//
// `math` sweeps densely; `math every` also takes every float32 there is, on the baseline; `math quick` sweeps thinly.
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "check.h"
#include "math_table.h"

using namespace ostinato::tests;

namespace {

constexpr const char* names[functions] = {"exp", "expm1", "tanh", "logistic"};
constexpr double bound = 3.0;
constexpr int64_t block = 4096;

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class Wide> Wide exact(Function function, Wide x) {
  switch (function) {
    case exponential: return std::exp(x);
    case exponential_minus_one: return std::expm1(x);
    case hyperbolic_tangent: return std::tanh(x);
    default: return Wide(1) / (Wide(1) + std::exp(-x));
  }
}

// As exact, but cheap where a few terms of the series are exact enough for a float32 or where it has its limit.
double exact_float32(Function function, double x) {
  if (std::abs(x) < 0x1p-13) {
    switch (function) {
      case exponential: return 1 + x + x * x / 2;
      case exponential_minus_one: return x + x * x / 2 + x * x * x / 6;
      case hyperbolic_tangent: return x - x * x * x / 3;
      default: return 0.5 + x / 4;
    }
  }
  if (std::abs(x) > 105) {
    const bool up = x > 0;
    switch (function) {
      case exponential: return up ? std::numeric_limits<double>::infinity() : 0;
      case exponential_minus_one: return up ? std::numeric_limits<double>::infinity() : -1;
      case hyperbolic_tangent: return up ? 1 : -1;
      default: return up ? 1 : 0;
    }
  }
  return exact<double>(function, x);
}

// |found - right| in units of the last place of `right` in the format of T; infinity counts as the number after the
// greatest one.
template <class T, class Wide> double ulps(T found, Wide right) {
  using Limits = std::numeric_limits<T>;
  const Wide beyond = std::ldexp(Wide(1), Limits::max_exponent);
  const auto inside = [&](Wide v) { return v > beyond ? beyond : v < -beyond ? -beyond : v; };
  int exponent = Limits::min_exponent;
  if (std::abs(right) > static_cast<Wide>(Limits::min())) std::frexp(inside(right), &exponent);
  const Wide unit = std::ldexp(Wide(1), std::max(exponent, Limits::min_exponent) - Limits::digits);
  return static_cast<double>(std::abs(inside(static_cast<Wide>(found)) - inside(right)) / unit);
}

// The same for float32, without branches, so that it runs over every one of them in a minute.
float ulps_float32(float found, double right) {
  constexpr double beyond = 0x1p128;
  double a = found, b = right;
  a = a > beyond ? beyond : a, b = b > beyond ? beyond : b;
  const double size = std::abs(b) < 0x1p-126 ? 0x1p-126 : std::abs(b);
  uint64_t bits;
  std::memcpy(&bits, &size, sizeof bits);
  bits = (uint64_t{2 * 1023 + 23} << 52) - (bits & (uint64_t{0x7ff} << 52));
  double inverse;
  std::memcpy(&inverse, &bits, sizeof inverse);
  return static_cast<float>(std::abs(a - b) * inverse);
}

struct Worst {
  double error = 0, at = 0;
  void take(double e, double x) {
    if (!(e <= error)) error = e, at = x;  // a NaN is taken too
  }
};

// The logistic function gives 0 for what is no normal number.
template <class T> bool flushed(Function function, T found, double right) {
  return function == logistic_function && found == 0 && right <= 1.0001 * static_cast<double>(std::numeric_limits<T>::min());
}

void report(const char* isa, const char* number, Function function, const Worst& worst) {
  char text[160];
  std::snprintf(text, sizeof text, "%-11s %s %-8s %.3f ULP at %.9g", isa, number, names[function], worst.error, worst.at);
  std::printf("  %s\n", text);
  check(worst.error <= bound, "error", text);
}

// Every `step`th of all float32 between two bit patterns, sign 0 and 1.
Worst sweep_float32(const Mathematics& m, Function function, uint64_t first, uint64_t last, uint64_t step) {
  Worst worst;
  std::vector<float> x(block), y(block), error(block);
  std::vector<double> right(block);
  for (uint64_t at = first; at < last; at += block * step) {
    for (int64_t i = 0; i < block; ++i)
      x[i] = from_bits(static_cast<uint32_t>(std::min(last - 1, at + static_cast<uint64_t>(i) * step)));
    if (std::isnan(x[0]) && std::isnan(x[block - 1])) {
      m.float32(function, x.data(), y.data(), block);
      bool all = true;
      for (int64_t i = 0; i < block; ++i) all = all && (std::isnan(y[i]) || !std::isnan(x[i]));
      check(all, "a NaN stays one", names[function]);
      continue;
    }
    m.float32(function, x.data(), y.data(), block);
    for (int64_t i = 0; i < block; ++i) right[i] = exact_float32(function, static_cast<double>(x[i]));
    float most = 0;
    for (int64_t i = 0; i < block; ++i) {
      error[i] = ulps_float32(y[i], right[i]);
      most = error[i] > most ? error[i] : most;
    }
    if (most <= static_cast<float>(worst.error) && !std::isnan(x[block - 1])) {
      bool all = true;
      for (int64_t i = 0; i < block; ++i) all = all && error[i] <= most;
      if (all) continue;
    }
    for (int64_t i = 0; i < block; ++i)
      if (!std::isnan(x[i]) && !flushed(function, y[i], right[i])) worst.take(static_cast<double>(error[i]), x[i]);
  }
  return worst;
}

Worst sweep_in_threads(const Mathematics& m, Function function, uint64_t step) {
  const uint64_t part = uint64_t{1} << 24, parts = uint64_t{1} << 8;
  const unsigned count = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Worst> found(count);
  std::vector<std::thread> threads;
  std::atomic<uint64_t> next{0};
  for (unsigned t = 0; t < count; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t p; (p = next.fetch_add(1)) < parts;) {
        const Worst worst = sweep_float32(m, function, p * part, (p + 1) * part, step);
        if (!(worst.error <= found[t].error)) found[t] = worst;
      }
    });
  for (std::thread& thread : threads) thread.join();
  Worst worst;
  for (const Worst& one : found) worst.take(one.error, one.at);
  return worst;
}

Worst sweep_float64(const Mathematics& m, Function function, int64_t blocks) {
  Worst worst;
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> even(-1, 1), magnitude(-60, 9.6);
  std::vector<double> x(block), y(block);
  for (int64_t b = 0; b < blocks; ++b) {
    for (double& value : x) {
      switch (random() % 4) {
        case 0: value = even(random) * 750; break;
        case 1: value = even(random) * 25; break;
        case 2: value = even(random); break;
        default: value = std::copysign(std::exp2(magnitude(random)), even(random));
      }
    }
    m.float64(function, x.data(), y.data(), block);
    for (int64_t i = 0; i < block; ++i) {
      const long double right = exact<long double>(function, x[i]);
      if (!flushed(function, y[i], static_cast<double>(right))) worst.take(ulps(y[i], right), x[i]);
    }
  }
  return worst;
}

template <class T> T at(const Mathematics& m, Function function, T x) {
  std::vector<T> from(16, x), to(16);
  if constexpr (sizeof(T) == 4) {
    m.float32(function, from.data(), to.data(), 16);
  } else {
    m.float64(function, from.data(), to.data(), 16);
  }
  for (T y : to) check(std::memcmp(&y, &to[0], sizeof y) == 0, "every lane gives the same", names[function]);
  return to[0];
}

template <class T> void limits(const Mathematics& m) {
  using Limits = std::numeric_limits<T>;
  const T infinity = Limits::infinity(), least = Limits::denorm_min();
  const auto same = [](T a, T b) { return a == b && std::signbit(a) == std::signbit(b); };
  for (int f = 0; f < functions; ++f)
    for (T nan : {Limits::quiet_NaN(), Limits::signaling_NaN(), -Limits::quiet_NaN()})
      check(std::isnan(at(m, static_cast<Function>(f), nan)), "a NaN stays one", names[f]);
  check(at(m, exponential, infinity) == infinity, "exp(inf)");
  check(same(at(m, exponential, -infinity), T(0)), "exp(-inf)");
  check(at(m, exponential_minus_one, infinity) == infinity, "expm1(inf)");
  check(at(m, exponential_minus_one, -infinity) == T(-1), "expm1(-inf)");
  check(at(m, hyperbolic_tangent, infinity) == T(1), "tanh(inf)");
  check(at(m, hyperbolic_tangent, -infinity) == T(-1), "tanh(-inf)");
  check(at(m, logistic_function, infinity) == T(1), "logistic(inf)");
  check(same(at(m, logistic_function, -infinity), T(0)), "logistic(-inf)");
  check(at(m, logistic_function, Limits::max()) == T(1), "logistic(max)");
  check(same(at(m, logistic_function, Limits::lowest()), T(0)), "logistic(lowest)");
  for (T zero : {T(0), T(-0.0)}) {
    check(at(m, exponential, zero) == T(1), "exp(0)");
    check(at(m, logistic_function, zero) == T(0.5), "logistic(0)");
    check(same(at(m, hyperbolic_tangent, zero), zero), "tanh keeps the sign of 0");
    check(same(at(m, exponential_minus_one, zero), zero), "expm1 keeps the sign of 0");
  }
  for (T x : {least, -least, Limits::min(), -Limits::min()}) {
    check(at(m, hyperbolic_tangent, x) == x, "tanh of the smallest numbers");
    check(at(m, exponential, x) == T(1), "exp of the smallest numbers");
    check(at(m, logistic_function, x) == T(0.5), "logistic of the smallest numbers");
  }
  for (T x = T(0); x < T(25); x += T(0.01))
    check(at(m, hyperbolic_tangent, x) <= T(1) && at(m, hyperbolic_tangent, -x) >= T(-1), "tanh stays within 1");
}

}  // namespace

int main(int count, char** values) {
  const bool quick = argument(count, values, "quick");
  std::vector<const Mathematics*> all = {&mathematics_baseline};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&mathematics_avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    all.push_back(&mathematics_avx512);
    if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni"))
      all.push_back(&mathematics_avx512_bf16);
  }
#endif
  for (const Mathematics* m : all) {
    limits<float>(*m);
    limits<double>(*m);
    for (int f = 0; f < functions; ++f) {
      const auto function = static_cast<Function>(f);
      const bool every = m == &mathematics_baseline && argument(count, values, "every");
      report(m->name, every ? "every float32" : "float32", function,
             sweep_in_threads(*m, function, every ? 1 : quick ? 509 : 61));
      report(m->name, "float64", function, sweep_float64(*m, function, quick ? 50 : 1000));
    }
  }
  return finish("math");
}
