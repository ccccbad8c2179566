// What a caller hands to the scan kernels: a cell whose state is updated element by element, over ragged rows.
//
// G gates of each unit before their activations, S numbers of state a unit, A parameters a unit. Every array is dense;
// in its rows the H units of the first gate (or number of state) come first, then those of the second.
#pragma once

#include "layer.h"

namespace ostinato {

enum class ScanCell : int { min_gru, min_lstm, qrnn, sru, sru_projected, rg_lru, lru, count };

struct Scan {
  int64_t units = 0;
  Rows rows;
  const void* pre = nullptr;      // (N, G H): what is computed of the input, all steps at once
  const void* skip = nullptr;     // (N, H): the input itself, for cells that read it element by element; or none
  const void* vectors = nullptr;  // (A, H)
  const void* first = nullptr;    // (B, S H): initial states
  void* states = nullptr;         // (N, S H): the state after every step; or none, in inference
  void* y = nullptr;              // (N, H): the output, for cells that put out something else than their state
  void* last = nullptr;           // (B, S H): final states
};

struct ScanBackward {
  int64_t units = 0;
  Rows rows;
  const void *pre = nullptr, *skip = nullptr, *vectors = nullptr, *first = nullptr, *states = nullptr;
  const void* dy = nullptr;       // (N, H), or (N, S H) where the state is the output
  const void* dlast = nullptr;    // (B, S H)
  void *dpre = nullptr, *dskip = nullptr;
  void* dvectors = nullptr;       // (members, A, H), zero before: each member adds its own
  void* dfirst = nullptr;         // (B, S H)
};

struct ScanKernel {
  int64_t (*backward_scratch)(const ScanBackward&);  // bytes
  int (*members)(int64_t units, const Rows&, int most);
  void (*forward)(const Scan&, const Member&);
  void (*backward)(const ScanBackward&, const Member&, char* scratch);
};

}  // namespace ostinato
