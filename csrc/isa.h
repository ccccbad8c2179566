// Which instruction set serves this process.
#pragma once

#include <cstddef>

#include "scan_call.h"

namespace ostinato {

struct Isa {
  const char* name;
  Kernel kernels[static_cast<int>(Cell::count)][static_cast<int>(Number::count)];
  ScanKernel scans[static_cast<int>(ScanCell::count)][static_cast<int>(Number::count)];
};

// Those compiled in that this machine has, the best first.
const Isa* const* available_isas(size_t& count);

// The one in use: the best, or the one chosen by name.
const Isa& isa();

// False if this machine does not have it.
bool choose_isa(const char* name);

}  // namespace ostinato
