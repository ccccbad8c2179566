// Rounding to bfloat16. Static, so that no instruction set's code of it can be linked into another's.
#pragma once

#include <cstdint>

namespace ostinato {

// The bits of a float32, rounded to the nearest bfloat16, ties to even; NaN stays NaN.
[[maybe_unused]] static inline uint32_t rounded_to_bfloat16(uint32_t bits) {
  const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return (bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded;
}

}  // namespace ostinato
