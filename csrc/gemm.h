// The innermost loops. Everything a recurrent layer multiplies is one of these two products, kept in registers.
#pragma once

#include "vec.h"

namespace ostinato::OSTINATO_ISA {

// Two of bfloat16, the first in the low half.
using Bf16Pair = uint32_t;

// How numbers enter products: as themselves; or two at once, whose products are both added to the sum.
template <class N> struct Factor {
  using Sum = N;
  static constexpr int held = 1;
  static vec<N> many(const N* from) { return load(from); }
  static vec<N> same(N value) { return all<N>(value); }
  static vec<N> add(vec<N> sum, vec<N> a, vec<N> b) { return sum + a * b; }
};
#if defined(__AVX512BF16__)
template <> struct Factor<Bf16Pair> {
  using Sum = float;
  static constexpr int held = 2;
  static __m512i many(const Bf16Pair* from) { return _mm512_loadu_si512(from); }
  static __m512i same(Bf16Pair value) { return _mm512_set1_epi32(static_cast<int>(value)); }
  static vec<float> add(vec<float> sum, __m512i a, __m512i b) {
    return (vec<float>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
  }
};
#endif
template <class N> using Sum = typename Factor<N>::Sum;

// acc[r][c] += sum over k < count of a[r][k] * w[k][c], where w is packed: C vectors for each k, one k after the other.
// With few rows the sum over k is split in several chains, since one chain would wait for the latency of each product.
template <class N, int R, int C>
inline __attribute__((always_inline)) void multiply(vec<Sum<N>> (&acc)[R][C], const N* const (&a)[R], const N* w,
                                                    int64_t count) {
  using F = Factor<N>;
  using T = Sum<N>;
  constexpr int wanted = registers == 32 ? 12 : 6;
  constexpr int chains = R * C >= wanted ? 1 : R * C * 2 >= wanted ? 2 : 4;
  constexpr int width = C * lanes<T>;
  int64_t k = 0;
  if constexpr (chains > 1) {
    vec<T> more[chains - 1][R][C] = {};
    for (; k + chains <= count; k += chains) {
#pragma GCC unroll 4
      for (int u = 0; u < chains; ++u) {
        const N* row = w + (k + u) * width;
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) {
          const auto b = F::many(row + c * lanes<T>);
#pragma GCC unroll 16
          for (int r = 0; r < R; ++r) {
            vec<T>& sum = u == 0 ? acc[r][c] : more[u - 1][r][c];
            sum = F::add(sum, F::same(a[r][k + u]), b);
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
    const N* row = w + k * width;
    decltype(F::many(w)) b[C];
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) b[c] = F::many(row + c * lanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const auto x = F::same(a[r][k]);
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) acc[r][c] = F::add(acc[r][c], x, b[c]);
    }
  }
}

// acc[r][c] += sum over n < count of a[n][at + r] * b[n][c]: rows of `b` are `stride` numbers apart, and hold the C vectors
// at `columns`.
template <class N, int R, int C>
inline __attribute__((always_inline)) void outer(vec<Sum<N>> (&acc)[R][C], const N* const* a, int64_t at, const N* b,
                                                 int64_t stride, const int (&columns)[C], int64_t count) {
  using F = Factor<N>;
  for (int64_t n = 0; n < count; ++n) {
    decltype(F::many(b)) row[C];
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) row[c] = F::many(b + n * stride + columns[c] * lanes<Sum<N>>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const auto x = F::same(a[n][at + r]);
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) acc[r][c] = F::add(acc[r][c], x, row[c]);
    }
  }
}

}  // namespace ostinato::OSTINATO_ISA
