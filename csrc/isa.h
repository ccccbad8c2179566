// Which instruction set serves this process.
#pragma once

#include <cstddef>

#include "scan_call.h"

namespace ostinato {

struct StreamTable {
  StreamKernel kernels[static_cast<int>(Cell::count)][static_cast<int>(Stored::count)];
};

// What an instruction set with products of low precision does better than the one it extends.
struct LowTable {
  StreamTable streams;
  Kernel layers[static_cast<int>(Cell::count)];  // of Number::bfloat16
};

struct Isa {
  const char* name;
  Kernel kernels[static_cast<int>(Cell::count)][static_cast<int>(Number::count)];
  StreamTable streams;
  ScanKernel scans[static_cast<int>(ScanCell::count)][static_cast<int>(Number::count)];
};

// Those compiled in that this machine has, the best first.
const Isa* const* available_isas(size_t& count);

// The one in use: the one chosen by name, or the one that the environment variable OSTINATO_ISA names, or the best.
// Throws std::runtime_error if this machine does not have the one that the variable names.
const Isa& isa();

// What this machine has for kernels of low precision beside its instruction set.
struct LowPrecision {
  bool bf16 = false;  // AVX-512 BF16: products of pairs of bfloat16, summed in float32
  bool vnni = false;  // AVX-512 VNNI: products of four int8, summed in int32
};
LowPrecision low_precision();

// False if this machine does not have it.
bool choose_isa(const char* name);

}  // namespace ostinato
