// One vector of the instruction set this file is compiled for, through the compilers' vector extensions (GCC, Clang).
//
// Every kernel is written once over Vec<T>; the instruction set only chooses the width and the register count. Each
// instruction set is compiled into a namespace of its own (OSTINATO_ISA), so that no inline function of one can be
// linked into another. For the same reason no kernel may use a template of the standard library.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef OSTINATO_ISA
#error "compile through one of the isa_*.cpp files"
#endif

namespace ostinato::OSTINATO_ISA {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64, registers = 32;
#elif defined(__AVX2__)
inline constexpr int vector_bytes = 32, registers = 16;
#elif defined(__aarch64__)
inline constexpr int vector_bytes = 16, registers = 32;
#else
inline constexpr int vector_bytes = 16, registers = 16;
#endif

template <class T> struct Bits;
template <> struct Bits<float> { using type = int32_t; using natural = uint32_t; };
template <> struct Bits<double> { using type = int64_t; using natural = uint64_t; };

template <class T> struct Vec {
  typedef T type __attribute__((vector_size(vector_bytes)));
  typedef typename Bits<T>::type bits __attribute__((vector_size(vector_bytes)));
  typedef typename Bits<T>::natural naturals __attribute__((vector_size(vector_bytes)));
  typedef T unaligned __attribute__((vector_size(vector_bytes), aligned(alignof(T)), may_alias));
  static constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));
  typedef uint32_t words __attribute__((vector_size(lanes * 4)));
};

template <class T> using vec = typename Vec<T>::type;
template <class T> inline constexpr int lanes = Vec<T>::lanes;

// How many rows of C vectors each the registers hold, beside the C vectors they are multiplied with.
template <int C> inline constexpr int rows_of = registers == 32 ? (C == 4 ? 6 : C == 3 ? 8 : C == 2 ? 12 : 14)
                                                                : (C == 4 ? 2 : C == 3 ? 3 : C == 2 ? 4 : 6);

template <class T> inline vec<T> all(T value) { return value - vec<T>{}; }

template <class T> inline vec<T> load(const T* from) {
  return *reinterpret_cast<const typename Vec<T>::unaligned*>(from);
}

template <class T> inline void store(T* to, vec<T> value) {
  *reinterpret_cast<typename Vec<T>::unaligned*>(to) = value;
}

// The first `count` elements (0 to lanes); nothing beyond them is touched, and the other lanes are 0.
template <class T> inline vec<T> load(const T* from, int count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return (vec<T>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), from);
  } else {
    return (vec<T>)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1u), from);
  }
#else
  if (count == lanes<T>) return load(from);
  vec<T> value{};
  std::memcpy(&value, from, sizeof(T) * static_cast<size_t>(count));
  return value;
#endif
}

template <class T> inline void store(T* to, vec<T> value, int count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1u), (__m512)value);
  } else {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1u), (__m512d)value);
  }
#else
  if (count == lanes<T>) {
    store(to, value);
  } else {
    std::memcpy(to, &value, sizeof(T) * static_cast<size_t>(count));
  }
#endif
}

// The first `count` lanes (0 to lanes); the others are 0.
template <class T> inline vec<T> only(vec<T> x, int count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (vec<T>)_mm512_maskz_mov_ps(static_cast<__mmask16>((1u << count) - 1u), (__m512)x);
  else return (vec<T>)_mm512_maskz_mov_pd(static_cast<__mmask8>((1u << count) - 1u), (__m512d)x);
#else
  for (int l = count; l < lanes<T>; ++l) x[l] = T(0);
  return x;
#endif
}

// The smaller and the greater of each lane and a bound; a NaN stays. Compilers make two instructions of a comparison, and
// x86 has one, which gives its second operand where either is NaN.
template <class T> inline vec<T> at_most(vec<T> x, T bound) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (vec<T>)_mm512_maskz_min_ps(static_cast<__mmask16>(-1), (__m512)all<T>(bound), (__m512)x);
  else return (vec<T>)_mm512_maskz_min_pd(static_cast<__mmask8>(-1), (__m512d)all<T>(bound), (__m512d)x);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return (vec<T>)_mm256_min_ps((__m256)all<T>(bound), (__m256)x);
  else return (vec<T>)_mm256_min_pd((__m256d)all<T>(bound), (__m256d)x);
#elif defined(__x86_64__)
  if constexpr (sizeof(T) == 4) return (vec<T>)_mm_min_ps((__m128)all<T>(bound), (__m128)x);
  else return (vec<T>)_mm_min_pd((__m128d)all<T>(bound), (__m128d)x);
#else
  return x > bound ? all<T>(bound) : x;
#endif
}

template <class T> inline vec<T> at_least(vec<T> x, T bound) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (vec<T>)_mm512_maskz_max_ps(static_cast<__mmask16>(-1), (__m512)all<T>(bound), (__m512)x);
  else return (vec<T>)_mm512_maskz_max_pd(static_cast<__mmask8>(-1), (__m512d)all<T>(bound), (__m512d)x);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return (vec<T>)_mm256_max_ps((__m256)all<T>(bound), (__m256)x);
  else return (vec<T>)_mm256_max_pd((__m256d)all<T>(bound), (__m256d)x);
#elif defined(__x86_64__)
  if constexpr (sizeof(T) == 4) return (vec<T>)_mm_max_ps((__m128)all<T>(bound), (__m128)x);
  else return (vec<T>)_mm_max_pd((__m128d)all<T>(bound), (__m128d)x);
#else
  return x < bound ? all<T>(bound) : x;
#endif
}

inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

// The places in two vectors, one after the other, that exchange halves of each 2 s lanes: `first` gives the lower halves
// of both, `second` the upper ones.
template <class T>
inline __attribute__((always_inline)) void halves(int s, typename Vec<T>::bits& first, typename Vec<T>::bits& second) {
#pragma GCC unroll 16
  for (int l = 0; l < lanes<T>; ++l) {
    first[l] = (l & s) == 0 ? l : lanes<T> + l - s;
    second[l] = (l & s) == 0 ? l + s : lanes<T> + l;
  }
}

// Of `left` numbers those that the next vector holds.
template <class T> inline int in_vector(int64_t left) { return static_cast<int>(max(0, min(lanes<T>, left))); }
inline int64_t blocks(int64_t count, int64_t size) { return (count + size - 1) / size; }

}  // namespace ostinato::OSTINATO_ISA
