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

// The sums of the lanes of L vectors, one in each lane.
template <class T> inline vec<T> totals(vec<T> (&rows)[lanes<T>]) {
  constexpr int L = lanes<T>;
#pragma GCC unroll 4
  for (int s = L / 2; s > 0; s /= 2) {
    typename Vec<T>::bits first{}, second{};
    halves<T>(s, first, second);
#pragma GCC unroll 8
    for (int i = 0; i < s; ++i)
      rows[i] = __builtin_shuffle(rows[i], rows[i + s], first) + __builtin_shuffle(rows[i], rows[i + s], second);
  }
  return rows[0];
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

// The moments of at most L rows of `units` units with n numbers each: with `squared`, from the lane_moments of each unit
// vector; else n = 1 and a row is what is normalised.
template <class T, bool squared>
__attribute__((noinline)) void row_moments(const T* const* rows, int count, int64_t units, int n, T* const* to) {
  constexpr int L = lanes<T>, stride = squared ? 2 * L : L;
  const int64_t whole = units / L, rest = units % L;
  vec<T> sums[L] = {}, squares[L] = {};
  for (int i = 0; i < count; ++i) {
    for (int64_t v = 0; v < whole; ++v) sums[i] += load(rows[i] + v * stride);
    if (rest > 0) sums[i] += head<T>(load(rows[i] + whole * stride), rest);
  }
  const vec<T> mean = totals<T>(sums) / static_cast<T>(units);
  for (int i = 0; i < count; ++i) {
    const T at = mean[i];
    const auto part = [&](int64_t v) {
      const vec<T> apart = load(rows[i] + v * stride) - at;
      if constexpr (squared) return apart * apart * static_cast<T>(n) + load(rows[i] + v * stride + L);
      else return apart * apart;
    };
    for (int64_t v = 0; v < whole; ++v) squares[i] += part(v);
    if (rest > 0) squares[i] += head<T>(part(whole), rest);
  }
  const vec<T> variance = totals<T>(squares) / static_cast<T>(n * units) + T(1e-5);
  vec<T> scale;
  for (int l = 0; l < L; ++l) scale[l] = root(variance[l]);
  scale = T(1) / scale;
  for (int i = 0; i < count; ++i) to[i][0] = mean[i], to[i][1] = scale[i];
}

// The way back: the gradient of x is scale * (d - mean of d - normalised x * mean of d times normalised x). From the lanes'
// sums of both, unit vector by unit vector, these means over `numbers` numbers, of at most L rows.
template <class T>
__attribute__((noinline)) void row_slopes(const T* const* rows, int count, int64_t vectors, int64_t numbers,
                                          T* const* to) {
  constexpr int L = lanes<T>;
  vec<T> plain[L] = {}, along[L] = {};
  for (int i = 0; i < count; ++i)
    for (int64_t v = 0; v < vectors; ++v)
      plain[i] += load(rows[i] + v * 2 * L), along[i] += load(rows[i] + v * 2 * L + L);
  const T share = T(1) / static_cast<T>(numbers);
  const vec<T> first = totals<T>(plain) * share, second = totals<T>(along) * share;
  for (int i = 0; i < count; ++i) to[i][0] = first[i], to[i][1] = second[i];
}

// function(first, number) for blocks of at most L rows.
template <class T, class F> inline void in_lanes(int64_t count, F&& function) {
  for (int64_t i = 0; i < count; i += lanes<T>) function(i, static_cast<int>(min(lanes<T>, count - i)));
}

}  // namespace ostinato::OSTINATO_ISA
