// The innermost loops. Everything a recurrent layer multiplies is one of these two products, kept in registers.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_ISA {

// acc[r][c] += sum over k < count of a[r][k] * w[k][c], where w is packed: C vectors for each k, one k after the other.
// With few rows the sum over k is split in several chains, since one chain would wait for the latency of each product.
template <class T, int R, int C>
inline __attribute__((always_inline)) void multiply(vec<T> (&acc)[R][C], const T* const (&a)[R], const T* w,
                                                    int64_t count) {
  constexpr int wanted = registers == 32 ? 12 : 6;
  constexpr int chains = R * C >= wanted ? 1 : R * C * 2 >= wanted ? 2 : 4;
  constexpr int width = C * lanes<T>;
  int64_t k = 0;
  if constexpr (chains > 1) {
    vec<T> more[chains - 1][R][C] = {};
    for (; k + chains <= count; k += chains) {
#pragma GCC unroll 4
      for (int u = 0; u < chains; ++u) {
        const T* row = w + (k + u) * width;
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) {
          vec<T> b = load(row + c * lanes<T>);
#pragma GCC unroll 16
          for (int r = 0; r < R; ++r) {
            vec<T>& sum = u == 0 ? acc[r][c] : more[u - 1][r][c];
            sum += a[r][k + u] * b;
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int u = 0; u < chains - 1; ++u)
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) acc[r][c] += more[u][r][c];
  }
  for (; k < count; ++k) {
    const T* row = w + k * width;
    vec<T> b[C];
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) b[c] = load(row + c * lanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      vec<T> x = all<T>(a[r][k]);
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) acc[r][c] += x * b[c];
    }
  }
}

// acc[r][c] += sum over n < count of a[n][r] * b[n][c]: rows of `a` are a_stride numbers apart, those of `b` `stride`,
// and hold the C vectors at `columns`.
template <class T, int R, int C>
inline __attribute__((always_inline)) void outer(vec<T> (&acc)[R][C], const T* a, int64_t a_stride, const T* b,
                                                 int64_t stride, const int (&columns)[C], int64_t count) {
  for (int64_t n = 0; n < count; ++n) {
    vec<T> row[C];
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) row[c] = load(b + n * stride + columns[c] * lanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      vec<T> x = all<T>(a[n * a_stride + r]);
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) acc[r][c] += x * row[c];
    }
  }
}

}  // namespace ostinato::OSTINATO_ISA
