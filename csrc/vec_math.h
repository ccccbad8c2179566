// exp, exp - 1, tanh and the logistic function on vectors, for float and double.
//
// Largest errors against the exact value, in ULP (csrc/tests/math.cpp: every float32 on the baseline, dense sweeps else):
//   float   exp 1.04, exp - 1 1.75, tanh 2.56, logistic 2.45
//   double  exp 1.02, exp - 1 2.05, tanh 2.55, logistic 2.29
// NaN stays NaN, infinities go where the C functions take them, and tanh keeps the sign of 0. exp also gives what is below
// the smallest normal number; logistic gives 0 for it, so that no gate makes the products behind it slow.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_ISA {

// What the range reduction needs of a type: the magic number whose addition rounds to an integer, ln 2 in two parts, and
// where the functions stop changing.
template <class T> struct Format;
template <> struct Format<float> {
  static constexpr float magic = 12582912.0f;  // 1.5 * 2^23
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float log2e = 1.44269504088896341f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float exp_low = -104.0f, exp_high = 89.0f;  // exp is 0 and infinite beyond
  static constexpr float smallest = -87.336544750553f;         // ln of the smallest normal number
  static constexpr float flat = 9.1f;                          // tanh rounds to 1 beyond
  // (exp(r) - 1 - r) / r^2 on |r| <= ln 2 / 2, of the least error relative to r: 1.4e-8
  static constexpr int terms = 5;
  static constexpr float series[terms] = {0.50000000641933215601f, 0.16666541582754405528f, 0.041666273739253728604f,
                                          0.0083667709413113822486f, 0.0013947023898735287309f};
};
template <> struct Format<double> {
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double log2e = 1.4426950408889634074, ln2_high = 6.93145751953125e-1,
                          ln2_low = 1.42860682030941723212e-6;
  static constexpr double exp_low = -746.0, exp_high = 710.0;
  static constexpr double smallest = -708.3964185322641;
  static constexpr double flat = 19.1;
  static constexpr int terms = 10;  // error 1.8e-17
  static constexpr double series[terms] = {0.50000000000000057413, 0.16666666666666684343, 0.041666666666571319665,
                                           0.0083333333333156105487, 0.0013888888933168217096,
                                           0.00019841269901024847232, 0.000024801503454370694877,
                                           2.7557229573181867423e-6, 2.7626736005515136695e-7, 2.5114007277116127357e-8};
};

// The series for arguments divided by a power of two.
template <class T, int scale> struct Scaled {
  T series[Format<T>::terms];
  constexpr Scaled() : series() {
    T factor = scale;
    for (int i = 0; i < Format<T>::terms; ++i, factor *= scale) series[i] = factor * Format<T>::series[i];
  }
};

// scale x = n ln 2 + r with |r| <= ln 2 / 2: gives (exp(r) - 1) / scale, and in `shifted` a number whose lowest bits are n.
template <class T, int scale> inline vec<T> reduced_expm1(vec<T> x, vec<T>& shifted) {
  using F = Format<T>;
  shifted = x * (scale * F::log2e) + F::magic;
  vec<T> n = shifted - F::magic;
  vec<T> r = x - n * (F::ln2_high / scale);  // that of above / scale
  r = r - n * (F::ln2_low / scale);
  static constexpr Scaled<T, scale> scaled;
  constexpr const T* s = scaled.series;
  vec<T> p = r * s[F::terms - 1] + s[F::terms - 2];
#pragma GCC unroll 16
  for (int i = F::terms - 3; i >= 0; --i) p = p * r + s[i];
  return p * (r * r) + r;
}

// The value, which is 0 or has the sign of x already, with the sign of x.
template <class T> inline vec<T> signed_as(vec<T> value, vec<T> x) {
  using Bits = typename Vec<T>::bits;
  return (vec<T>)((Bits)value | ((Bits)x & (Bits)(-vec<T>{})));
}

// 2^n for the n of reduced_expm1; n from -bias (which gives 0) to bias.
template <class T> inline vec<T> power_of_two(vec<T> shifted) {
  return (vec<T>)(((typename Vec<T>::naturals)shifted + Format<T>::bias) << Format<T>::mantissa);
}

template <class T> inline vec<T> exp(vec<T> x) {
  using F = Format<T>;
  using Naturals = typename Vec<T>::naturals;
  vec<T> shifted;
  vec<T> part = reduced_expm1<T, 1>(at_least<T>(at_most<T>(x, F::exp_high), F::exp_low), shifted);
  // 2^n in two factors, since n may be one more than the exponent holds, or down to that of the smallest number.
  Naturals n = (Naturals)shifted - (Naturals)all<T>(F::magic) + 2 * F::bias;
  Naturals half = n >> 1;
  return (part + T(1)) * (vec<T>)(half << F::mantissa) * (vec<T>)((n - half) << F::mantissa);
}

// exp(x) - 1, which keeps its digits near 0.
template <class T> inline vec<T> expm1(vec<T> x) {
  using F = Format<T>;
  vec<T> shifted, part = reduced_expm1<T, 1>(at_least<T>(at_most<T>(x, F::exp_high), T(-40)), shifted);
  vec<T> half = power_of_two<T>(shifted - T(1));  // n may be one more than the exponent holds
  vec<T> result = half * part + (half - T(0.5));
  return signed_as<T>(result + result, x);
}

// 1 / (1 + exp(-x)).
template <class T> inline vec<T> logistic(vec<T> x) {
  using F = Format<T>;
  vec<T> shifted, part = reduced_expm1<T, 1>(at_least<T>(-x, F::smallest), shifted), power = power_of_two<T>(shifted);
  vec<T> result = T(1) / (power * part + (power + T(1)));
  return x < F::smallest ? vec<T>{} : result;
}

// tanh(x) = m / (m + 1) with m = (exp(2 x) - 1) / 2, which keeps its digits near 0.
template <class T> inline vec<T> tanh(vec<T> x) {
  using F = Format<T>;
  vec<T> shifted, part = reduced_expm1<T, 2>(at_least<T>(at_most<T>(x, F::flat), -F::flat), shifted);
  vec<T> power = power_of_two<T>(shifted);
  vec<T> m = power * part + (power * T(0.5) - T(0.5));
  return signed_as<T>(m / (m + T(1)), x);
}

}  // namespace ostinato::OSTINATO_ISA
