// The ways in which a stream keeps its weights, and the products with them.
//
// A group is as many numbers of the sum over k as one machine word holds: 1 for float32 and float64, 2 for bfloat16, 4
// for int8. The weights of C vectors of columns are, group after group, C vectors of words.
#pragma once

#include "bfloat16.h"
#include "gemm.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ostinato::OSTINATO_ISA {

using ints = typename Vec<float>::bits;

// With one row a step reads every weight once, mostly from the second cache or beyond: fetched this far ahead, a tenth
// sooner than the processor does by itself.
template <class T> inline void ahead(const T* from) { __builtin_prefetch(reinterpret_cast<const char*>(from) + 2048); }

inline ints load_words(const uint32_t* from) {
  return *reinterpret_cast<const ints*>(from);  // panels are aligned
}

// Rounds here: no product before it is fused with a sum after it, so that every instruction set rounds alike.
inline void separate([[maybe_unused]] vec<float>& value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__x86_64__)
  asm("" : "+x"(value));
#elif defined(__aarch64__)
  asm("" : "+w"(value));
#endif
}

// Weights as they are.
template <class T> struct Plain {
  using Number = T;
  using Word = T;
  using Input = const T*;
  static constexpr int group = 1;
  static constexpr bool scaled = false;

  static T word(const T* w, int64_t k, int64_t, T) { return w[k]; }
  static T scale(const T*, int64_t) { return T(1); }

  template <int R, int C>
  static inline __attribute__((always_inline)) void multiply(vec<T> (&acc)[R][C], const Input (&a)[R], const T* w,
                                                             int64_t count) {
    int64_t k = 0;
    if constexpr (R == 1 && registers == 32) {
      constexpr int chains = 4, width = C * lanes<T>;
      vec<T> more[chains - 1][C] = {};
      for (; k + chains <= count; k += chains)
#pragma GCC unroll 4
        for (int u = 0; u < chains; ++u)
#pragma GCC unroll 16
          for (int c = 0; c < C; ++c) {
            const T* at = w + (k + u) * width + c * lanes<T>;
            ahead(at);
            (u == 0 ? acc[0] : more[u - 1])[c] += a[0][k + u] * load(at);
          }
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) acc[0][c] += more[0][c] + (more[1][c] + more[2][c]);
    }
    const T* rest[R];
    for (int r = 0; r < R; ++r) rest[r] = a[r] + k;
    ostinato::OSTINATO_ISA::multiply<T, R, C>(acc, rest, w + k * C * lanes<T>, count - k);
  }
};

// Rounded to bfloat16 (to nearest, ties to even); the products with float32 inputs are those of float32.
struct Bfloat16 {
  using Number = float;
  using Word = uint32_t;
  using Input = const float*;
  static constexpr int group = 2;
  static constexpr bool scaled = false;

  static uint32_t rounded(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return rounded_to_bfloat16(bits);
  }
  static uint32_t word(const float* w, int64_t k, int64_t count, float) {
    return rounded(w[k]) | (k + 1 < count ? rounded(w[k + 1]) << 16 : 0u);
  }
  static float scale(const float*, int64_t) { return 1.0f; }

  template <int R, int C>
  static inline __attribute__((always_inline)) void multiply(vec<float> (&acc)[R][C], const Input (&a)[R],
                                                             const uint32_t* w, int64_t count) {
    constexpr int chains = R * C >= 12 ? 1 : R * C >= 6 ? 2 : 4;
    constexpr int width = C * lanes<float>;
    vec<float> more[chains > 1 ? chains - 1 : 1][R][C] = {};
    const auto add = [&](int64_t k, int chain, bool both) __attribute__((always_inline)) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) {
        const uint32_t* at = w + k / 2 * width + c * lanes<float>;
        if constexpr (R == 1) ahead(at);
        const ints pair = load_words(at);
        const vec<float> low = (vec<float>)(pair << 16), high = (vec<float>)(pair & ~0xffff);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          (chain == 0 ? acc : more[chain - 1])[r][c] += a[r][k] * low;
          if (both) (chains == 1 ? acc : more[chain])[r][c] += a[r][k + 1] * high;
        }
      }
    };
    int64_t k = 0;
    if constexpr (chains == 4)
      for (; k + 4 <= count; k += 4) add(k, 0, true), add(k + 2, 2, true);
    for (; k + 2 <= count; k += 2) add(k, 0, true);
    if (k < count) add(k, 0, false);
    if constexpr (chains > 1)
#pragma GCC unroll 4
      for (int u = 0; u < chains - 1; ++u)
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
          for (int c = 0; c < C; ++c) acc[r][c] += more[u][r][c];
  }
};

// acc[lane] += sum over j < 4 of the signed bytes q_j * w_j of each lane's word; exact in 32 bits. Where `offset`, the
// bytes of q are given with 128 added, and what that adds must be taken off.
#if defined(__AVX512VNNI__)
inline constexpr int offset = 128;
inline ints dot4(ints acc, ints w, uint32_t q) {
  return (ints)_mm512_dpbusd_epi32((__m512i)acc, _mm512_set1_epi32(static_cast<int>(q)), (__m512i)w);
}
#else
inline constexpr int offset = 0;
#if defined(__SSE2__)
typedef short shorts __attribute__((vector_size(vector_bytes)));
inline ints pairs(shorts a, shorts b) {
#if defined(__AVX512BW__)
  return (ints)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
  return (ints)_mm_madd_epi16((__m128i)a, (__m128i)b);
#endif
}
inline ints dot4(ints acc, ints w, uint32_t q) {
  shorts both = (shorts)w, inputs = (shorts)(static_cast<int32_t>(q) - ints{});
  return acc + pairs((shorts)((both << 8) >> 8), (inputs << 8) >> 8) + pairs(both >> 8, inputs >> 8);
}
#else
inline ints dot4(ints acc, ints w, uint32_t q) {
  const auto byte = [q](int j) { return static_cast<int32_t>(static_cast<int8_t>(q >> (8 * j))); };
  return acc + ((w << 24) >> 24) * byte(0) + ((w << 16) >> 24) * byte(1) + ((w << 8) >> 24) * byte(2) +
         (w >> 24) * byte(3);
}
#endif
#endif

// Rounded to -127..127 times a scale of each row of the weights; inputs likewise, with a scale of each row of theirs,
// anew at every step. The products are summed exactly, in integers, so every instruction set gives the same sums.
struct Int8 {
  using Number = float;
  using Word = uint32_t;
  struct Input {
    const uint32_t* q;
    float scale;
  };
  static constexpr int group = 4;
  static constexpr bool scaled = true;

  static float largest(const float* w, int64_t count) {
    float found = 0, odd = 0;
    for (int64_t k = 0; k < count; ++k) {
      const float size = w[k] < 0 ? -w[k] : w[k];
      found = size > found ? size : found;
      odd += w[k] - w[k];
    }
    return found + odd;
  }
  // The scale of a row; NaN where it holds a NaN or an infinity, which so reaches the result.
  static float scale(const float* w, int64_t count) { return scale_of(largest(w, count)); }
  static float scale_of(float largest) {
    return largest - largest == 0 ? largest / 127.0f : __builtin_nanf("");
  }
  static int32_t rounded(float value, float scale) {
    const float ratio = value / scale;
    if (!(ratio >= -127.0f && ratio <= 127.0f)) return ratio > 127.0f ? 127 : ratio < -127.0f ? -127 : 0;
    const float magic = 12582912.0f;
    volatile float shifted = ratio + magic;  // not to be folded away
    return static_cast<int32_t>(shifted - magic);
  }
  static uint32_t word(const float* w, int64_t k, int64_t count, float scale) {
    uint32_t found = 0;
    for (int64_t j = 0; j < 4 && k + j < count; ++j)
      found |= (static_cast<uint32_t>(rounded(w[k + j], scale)) & 0xffu) << (8 * j);
    return found;
  }

  // sum[r][c] = the sums over `groups` words, with what `offset` adds taken off: sums holds, for each column, the sum of
  // its weights.
  template <int R, int C>
  static inline __attribute__((always_inline)) void multiply(ints (&sum)[R][C], const Input (&a)[R], const uint32_t* w,
                                                             const ints* sums, int64_t groups) {
    constexpr int chains = R * C >= 10 ? 1 : R * C >= 5 ? 2 : 4;
    constexpr int width = C * lanes<float>;
    ints part[chains][R][C] = {};
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) part[0][r][c] = -offset * sums[c];
    int64_t k = 0;
    for (; k + chains <= groups; k += chains) {
#pragma GCC unroll 4
      for (int u = 0; u < chains; ++u)
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) {
          const uint32_t* at = w + (k + u) * width + c * lanes<float>;
          if constexpr (R == 1) ahead(at);
          const ints b = load_words(at);
#pragma GCC unroll 16
          for (int r = 0; r < R; ++r) part[u][r][c] = dot4(part[u][r][c], b, a[r].q[k + u]);
        }
    }
    for (; k < groups; ++k) {
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) {
        ints b = load_words(w + k * width + c * lanes<float>);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) part[0][r][c] = dot4(part[0][r][c], b, a[r].q[k]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) {
        sum[r][c] = part[0][r][c];
#pragma GCC unroll 4
        for (int u = 1; u < chains; ++u) sum[r][c] += part[u][r][c];
      }
  }

  // A row of inputs as words of 4 bytes; gives its scale.
  static float quantise(const float* x, int64_t count, uint32_t* q) {
    constexpr int L = lanes<float>;
    vec<float> most{}, odd{};  // odd: NaN where a number is not finite
    for (int64_t k = 0; k < count; k += L) {
      const vec<float> value = load(x + k, static_cast<int>(min(L, count - k)));
      const vec<float> size = (vec<float>)((ints)value & 0x7fffffff);
      most = size > most ? size : most;
      odd += value - value;
    }
    float largest = 0, none = 0;
    for (int i = 0; i < L; ++i) largest = most[i] > largest ? most[i] : largest, none += odd[i];
    largest += none;
    const float scale = scale_of(largest);
    const float inverse = scale > 0 && largest >= 1e-30f ? 127.0f / largest : 0.0f;
    int8_t* bytes = reinterpret_cast<int8_t*>(q);
    for (int64_t k = 0; k < count; k += L) {
      const int some = static_cast<int>(min(L, count - k));
      vec<float> ratio = load(x + k, some) * inverse;
      separate(ratio);
      const ints whole = (ints)(ratio + 12582912.0f);  // the low byte of the bits is the nearest integer
      store_bytes(bytes + k, whole + offset, some);
    }
    for (int64_t k = count; k % 4 != 0; ++k) bytes[k] = static_cast<int8_t>(offset);
    return inverse == 0.0f && scale == scale ? 0.0f : scale;
  }

  static void store_bytes(int8_t* to, ints low, int count) {
#if defined(__AVX512F__)
    _mm512_mask_cvtepi32_storeu_epi8(to, static_cast<__mmask16>((1u << count) - 1u), (__m512i)low);
#else
    for (int i = 0; i < count; ++i) to[i] = static_cast<int8_t>(low[i]);
#endif
  }
};

}  // namespace ostinato::OSTINATO_ISA
