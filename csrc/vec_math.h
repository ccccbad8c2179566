// exp, tanh and the logistic function on vectors, for float and double; error at most 3 ULP (tests/native).
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_ISA {

// Bit patterns of a type: the magic number whose addition rounds to an integer, and what builds a power of two.
template <class T> struct Format;
template <> struct Format<float> {
  static constexpr float magic = 12582912.0f;  // 1.5 * 2^23
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float log2e = 1.44269504088896341f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float largest = 88.0f;  // exp stays finite and normal between -largest and largest
  static constexpr float flat = 9.1f;      // tanh rounds to 1 beyond
};
template <> struct Format<double> {
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double log2e = 1.4426950408889634074, ln2_high = 6.93145751953125e-1,
                          ln2_low = 1.42860682030941723212e-6;
  static constexpr double largest = 708.0;
  static constexpr double flat = 19.1;
};

template <class T> inline vec<T> clamp(vec<T> x, T low, T high) {
  // The order of the comparisons lets a NaN through.
  x = x < low ? all<T>(low) : x;
  return x > high ? all<T>(high) : x;
}

// x = n ln 2 + r with |r| <= ln 2 / 2; `power` is 2^n and the result exp(r) - 1.
template <class T> inline vec<T> reduced_expm1(vec<T> x, vec<T>& power) {
  using F = Format<T>;
  vec<T> shifted = x * F::log2e + F::magic;
  vec<T> n = shifted - F::magic;
  vec<T> r = x - n * F::ln2_high;
  r = r - n * F::ln2_low;
  power = (vec<T>)(((typename Vec<T>::bits)shifted + F::bias) << F::mantissa);
  if constexpr (sizeof(T) == 4) {
    // Taylor to r^7: the remainder, (ln 2 / 2)^8 / 8!, is 5e-9 of a result that is near r.
    vec<T> p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    return p * (r * r) + r;
  } else {
    vec<T> p = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    return p * (r * r) + r;
  }
}

// exp(x) for |x| <= largest; outside, exp of the nearest such value.
template <class T> inline vec<T> exp(vec<T> x) {
  vec<T> power, part = reduced_expm1<T>(clamp<T>(x, -Format<T>::largest, Format<T>::largest), power);
  return power * part + power;
}

// exp(x) - 1, which keeps its digits near 0, for x as above.
template <class T> inline vec<T> expm1(vec<T> x) {
  vec<T> power, part = reduced_expm1<T>(clamp<T>(x, -Format<T>::largest, Format<T>::largest), power);
  return power * part + (power - T(1));
}

template <class T> inline vec<T> sqrt(vec<T> x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return (vec<T>)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
  } else {
    return (vec<T>)_mm512_maskz_sqrt_pd(0xff, (__m512d)x);
  }
#else
  for (int i = 0; i < lanes<T>; ++i) x[i] = sizeof(T) == 4 ? __builtin_sqrtf(x[i]) : __builtin_sqrt(x[i]);
  return x;
#endif
}

// 1 / (1 + exp(-x)).
template <class T> inline vec<T> logistic(vec<T> x) { return T(1) / (T(1) + exp<T>(-x)); }

// tanh(x) = m / (m + 2) with m = exp(2 x) - 1, which keeps its digits near 0.
template <class T> inline vec<T> tanh(vec<T> x) {
  vec<T> power, part = reduced_expm1<T>(clamp<T>(x + x, -2 * Format<T>::flat, 2 * Format<T>::flat), power);
  vec<T> m = power * part + (power - T(1));
  return m / (m + T(2));
}

}  // namespace ostinato::OSTINATO_ISA
