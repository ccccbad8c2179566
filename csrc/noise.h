// Masks within the recurrence: recurrent dropout and zoneout. The bits are those of src/ostinato/engines/noise.py, a
// function of seed, kind, layer, direction, step, sequence and unit, so that no order of work changes them.
#pragma once

#include "layer.h"
#include "vec.h"

namespace ostinato::OSTINATO_ISA {

inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The keys of one row, one for each kind of mask.
struct Keys {
  uint64_t keep, h, c;
};

inline Keys keys_of(const Noise& noise, int64_t step, int64_t slot) {
  constexpr uint64_t gamma = 0x9e3779b97f4a7c15u;
  const auto key = [&](uint64_t kind) {
    uint64_t k = mix(noise.seed + gamma * (1 + kind + 8 * static_cast<uint64_t>(noise.direction) +
                                           16 * static_cast<uint64_t>(noise.layer)));
    k = mix(k + gamma * (1 + static_cast<uint64_t>(step)));
    return mix(k + gamma * (1 + static_cast<uint64_t>(noise.sequences[slot])));
  };
  return {key(4), key(5), key(6)};
}

// Of the units from `unit` on, `if_hit` where the bits fall below the threshold (of 2^32), else `otherwise`.
template <class T>
inline vec<T> choose(uint64_t key, int64_t unit, uint64_t threshold, vec<T> if_hit, vec<T> otherwise) {
  if (threshold == 0) return otherwise;
  typename Vec<T>::words x;
  for (int l = 0; l < lanes<T>; ++l) x[l] = static_cast<uint32_t>(unit) + static_cast<uint32_t>(l);
  x ^= static_cast<uint32_t>(key);
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  x = (x ^ (x >> 16)) + static_cast<uint32_t>(key >> 32);
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  x ^= x >> 16;
  const auto hit = x <= static_cast<uint32_t>(threshold - 1);
  return __builtin_convertvector(hit, typename Vec<T>::bits) ? if_hit : otherwise;
}

template <class T> inline vec<T> kept(const Noise& noise, const Keys& keys, int64_t unit) {
  return choose<T>(keys.keep, unit, noise.drop, vec<T>{}, all<T>(static_cast<T>(noise.scale)));
}

// The state after zoneout: units that keep their value, or outside training the expectation.
template <class T>
inline vec<T> zoned(const Noise& noise, uint64_t key, uint64_t threshold, double share, int64_t unit, vec<T> before,
                    vec<T> after) {
  if (noise.training) return choose<T>(key, unit, threshold, before, after);
  return after + static_cast<T>(share) * (before - after);
}

// The gradient of zoned: that of the new state is returned, that of the old one added to `direct`.
template <class T>
inline vec<T> unzoned(const Noise& noise, uint64_t key, uint64_t threshold, double share, int64_t unit, vec<T> gradient,
                      vec<T>& direct) {
  const vec<T> old = noise.training ? choose<T>(key, unit, threshold, gradient, vec<T>{})
                                    : gradient * static_cast<T>(share);
  direct += old;
  return gradient - old;
}

}  // namespace ostinato::OSTINATO_ISA
