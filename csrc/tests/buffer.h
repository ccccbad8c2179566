// Memory handed to a kernel: of the exact size, between guard zones, and poisoned with signalling NaN.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <vector>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace ostinato::tests {

// Numbers at an address that is a multiple of no more than their own size, so that aligned access is found out.
template <class T> class Buffer {
 public:
  explicit Buffer(int64_t count, bool aligned = false)
      : count_(count), memory_(static_cast<char*>(std::aligned_alloc(64, total()))), offset_(zone + (aligned ? 0 : sizeof(T))) {
    std::memset(memory_, guard, total());
    poison();
#if defined(__SANITIZE_ADDRESS__)
    ASAN_POISON_MEMORY_REGION(memory_, offset_);
    ASAN_POISON_MEMORY_REGION(memory_ + offset_ + bytes(), total() - offset_ - bytes());
#endif
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(memory_, total());
#endif
    std::free(memory_);
  }

  template <class From> void set(const std::vector<From>& values) {
    for (int64_t i = 0; i < count_; ++i) (*this)[i] = static_cast<T>(values[static_cast<size_t>(i)]);
  }
  void poison() {
    std::fill_n(data(), count_, std::numeric_limits<T>::signaling_NaN());
  }

  T* data() { return reinterpret_cast<T*>(memory_ + offset_); }
  const T* data() const { return reinterpret_cast<const T*>(memory_ + offset_); }
  T& operator[](int64_t i) { return data()[i]; }
  T operator[](int64_t i) const { return data()[i]; }
  int64_t size() const { return count_; }
  size_t bytes() const { return static_cast<size_t>(count_) * sizeof(T); }

  bool guards_hold() const {
#if !defined(__SANITIZE_ADDRESS__)
    for (size_t i = 0; i < offset_; ++i)
      if (memory_[i] != guard) return false;
    for (size_t i = offset_ + bytes(); i < total(); ++i)
      if (memory_[i] != guard) return false;
#endif
    return true;
  }

 private:
  static constexpr size_t zone = 256;
  static constexpr char guard = 0x5a;
  size_t total() const { return (bytes() + 2 * zone + sizeof(T) + 63) / 64 * 64; }

  int64_t count_;
  char* memory_;
  size_t offset_;
};

}  // namespace ostinato::tests
