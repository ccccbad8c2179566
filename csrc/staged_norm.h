// Layer normalisation of rows that lie in vectors of units: mean and deviation of a row from those of its lanes, so that
// members who share a row by units meet once, and the sums do not depend on who computed which part.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_ISA {

// Vectors of one side of a cell that are normalised together.
struct Group {
  int first, count;
};

// What vector i of a record is, normalised; moments: mean and scale.
template <class T> inline vec<T> normal(const T* record, int i, const T* moments) {
  return (load(record + i * lanes<T>) - moments[0]) * moments[1];
}

template <class T> inline T total(vec<T> x) {
#pragma GCC unroll 4
  for (int s = lanes<T> / 2; s > 0; s /= 2) {
    typename Vec<T>::bits from{};
#pragma GCC unroll 16
    for (int l = 0; l < lanes<T>; ++l) from[l] = l ^ s;
    x += __builtin_shuffle(x, from);
  }
  return x[0];
}

// The first `count` lanes, the others 0.
template <class T> inline vec<T> head(vec<T> x, int64_t count) {
  typename Vec<T>::bits lane{};
  for (int l = 0; l < lanes<T>; ++l) lane[l] = l;
  return lane < static_cast<typename Bits<T>::type>(count) ? x : vec<T>{};
}

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }

// Of n vectors of one unit vector: the mean of each lane and its squared deviations, summed.
template <class T> inline void lane_moments(const vec<T>* x, int n, T* to) {
  vec<T> mean = x[0], squares{};
  for (int i = 1; i < n; ++i) mean += x[i];
  mean *= T(1) / static_cast<T>(n);
  for (int i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  store(to, mean);
  store(to + lanes<T>, squares);
}

// The moments of a row of `units` units with n numbers each: with `squared`, from the lane_moments of each unit vector;
// else n = 1 and the row is what is normalised.
template <class T, bool squared> inline void row_moments(const T* row, int64_t units, int n, T* to) {
  constexpr int L = lanes<T>, stride = squared ? 2 * L : L;
  const int64_t whole = units / L, rest = units % L;
  vec<T> sum{}, squares{};
  for (int64_t v = 0; v < whole; ++v) sum += load(row + v * stride);
  if (rest > 0) sum += head<T>(load(row + whole * stride), rest);
  const T mean = total<T>(sum) / static_cast<T>(units);
  const auto part = [&](int64_t v) {
    const vec<T> apart = load(row + v * stride) - mean;
    if constexpr (squared) return apart * apart * static_cast<T>(n) + load(row + v * stride + L);
    else return apart * apart;
  };
  for (int64_t v = 0; v < whole; ++v) squares += part(v);
  if (rest > 0) squares += head<T>(part(whole), rest);
  to[0] = mean;
  to[1] = T(1) / root(total<T>(squares) / static_cast<T>(n * units) + T(1e-5));
}

// The way back: the gradient of x is scale * (d - mean of d - normalised x * mean of d times normalised x). From the lanes'
// sums of both, unit vector by unit vector, the means over `count` numbers.
template <class T> struct Slopes {
  T plain, along;
};
template <class T> inline Slopes<T> row_slopes(const T* sums, int64_t vectors, int64_t count) {
  constexpr int L = lanes<T>;
  vec<T> plain{}, along{};
  for (int64_t v = 0; v < vectors; ++v) plain += load(sums + v * 2 * L), along += load(sums + v * 2 * L + L);
  return {total<T>(plain) / static_cast<T>(count), total<T>(along) / static_cast<T>(count)};
}

}  // namespace ostinato::OSTINATO_ISA
