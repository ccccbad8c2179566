// Numbers rounded to bfloat16 (to nearest, ties to even), two in a word.
#pragma once

#include "gemm.h"

namespace ostinato::OSTINATO_ISA {

#if defined(__AVX512BF16__)
// (from[0], from[1]), (from[2], from[3]) and so on; an odd last one stands beside 0. `count` numbers, at most a vector.
inline void store_pairs(Bf16Pair* to, vec<float> from, int count) {
  const __m512 some = _mm512_maskz_mov_ps(static_cast<__mmask16>((1u << count) - 1u), (__m512)from);
  const auto words = static_cast<__mmask8>((1u << (count + 1) / 2) - 1u);
  _mm256_mask_storeu_epi32(to, words, (__m256i)_mm512_cvtneps_pbh(some));
}

inline void pair_row(const float* from, int64_t count, Bf16Pair* to) {
  for (int64_t i = 0; i < count; i += lanes<float>) {
    const int some = in_vector<float>(count - i);
    store_pairs(to + i / 2, load(from + i, some), some);
  }
}

// (a[0], b[0]), (a[1], b[1]) and so on; b that is not there is 0.
inline void pair_rows(const float* a, const float* b, int64_t count, Bf16Pair* to) {
  constexpr auto every = static_cast<__mmask16>(-1);  // GCC 12 warns of what the forms without a mask leave undefined
  for (int64_t i = 0; i < count; i += lanes<float>) {
    const int some = in_vector<float>(count - i);
    const auto widened = [&](const float* from) {
      return _mm512_maskz_cvtepu16_epi32(every, (__m256i)_mm512_cvtneps_pbh((__m512)load(from + i, some)));
    };
    const __m512i low = widened(a), high = b == nullptr ? _mm512_setzero_si512() : widened(b);
    _mm512_mask_storeu_epi32(to + i, static_cast<__mmask16>((1u << some) - 1u),
                             _mm512_or_si512(low, _mm512_maskz_slli_epi32(every, high, 16)));
  }
}
#endif

}  // namespace ostinato::OSTINATO_ISA
