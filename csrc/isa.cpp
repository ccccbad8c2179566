#include "isa.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace ostinato {

extern const Isa isa_baseline;
#if defined(__x86_64__)
extern const Isa isa_avx2, isa_avx512;
extern const LowTable low_avx512_bf16;
#endif

namespace {

struct Available {
  const Isa* list[4] = {};
  size_t count = 0;
#if defined(__x86_64__)
  Isa avx512_bf16 = isa_avx512;
#endif
  Available(const Available&) = delete;
  Available& operator=(const Available&) = delete;
  Available() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni")) {
        avx512_bf16.name = "avx512_bf16";
        avx512_bf16.streams = low_avx512_bf16.streams;
        for (int cell = 0; cell < static_cast<int>(Cell::count); ++cell)
          avx512_bf16.kernels[cell][static_cast<int>(Number::bfloat16)] = low_avx512_bf16.layers[cell];
        list[count++] = &avx512_bf16;
      }
      list[count++] = &isa_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) list[count++] = &isa_avx2;
#endif
    list[count++] = &isa_baseline;
  }
};

const Available& available() {
  static const Available found;
  return found;
}

std::atomic<const Isa*> chosen{nullptr};

}  // namespace

const Isa* const* available_isas(size_t& count) {
  count = available().count;
  return available().list;
}

const Isa& isa() {
  const Isa* found = chosen.load(std::memory_order_acquire);
  if (found != nullptr) return *found;
  const char* wanted = std::getenv("OSTINATO_ISA");
  if (wanted == nullptr || *wanted == '\0') {
    chosen.store(available().list[0], std::memory_order_release);
  } else if (!choose_isa(wanted)) {
    std::string names;
    for (size_t i = 0; i < available().count; ++i) names += std::string(i == 0 ? "" : ", ") + available().list[i]->name;
    throw std::runtime_error("OSTINATO_ISA=" + std::string(wanted) + ": this machine has " + names);
  }
  return *chosen.load(std::memory_order_acquire);
}

LowPrecision low_precision() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return {__builtin_cpu_supports("avx512bf16") != 0, __builtin_cpu_supports("avx512vnni") != 0};
#else
  return {};
#endif
}

bool choose_isa(const char* name) {
  for (size_t i = 0; i < available().count; ++i)
    if (std::strcmp(available().list[i]->name, name) == 0) {
      chosen.store(available().list[i], std::memory_order_release);
      return true;
    }
  return false;
}

}  // namespace ostinato
