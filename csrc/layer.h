// What a caller hands to the kernels: one layer in one direction over ragged rows. Plain pointers and sizes, no library.
//
// Letters as everywhere in this project: T steps, B sequences (slots, the longest first), N rows, I inputs, H units.
#pragma once

#include <cstdint>

namespace ostinato {

enum class Cell : int {
  elman_tanh,
  elman_relu,
  lstm,
  gru,
  lstm_peephole,
  lstm_coupled,
  independent_relu,
  independent_tanh,
  // Cells of several stages a step: staged_cells.h. The projected ones need Weights::hr; lstm_norm may have it.
  lstm_projected,
  lstm_peephole_projected,
  lstm_coupled_projected,
  gru_before,
  lstm_norm,
  gru_norm,
  count
};
// bfloat16: everything is float32, but the products with matrices are those of bfloat16, summed in float32; a backward
// needs the gates that were saved.
enum class Number : int { float32, float64, bfloat16, count };
enum class Stored : int { float32, float64, bfloat16, int8, count };  // weights of a stream

// Time-major packed rows: step t holds sizes[t] rows from row starts[t] on; slot j of step t is row starts[t] + j.
struct Rows {
  int64_t steps = 0, slots = 0, total = 0;
  const int64_t* sizes = nullptr;
  const int64_t* starts = nullptr;
  const uint8_t* reset = nullptr;  // (N): this row starts from the initial state again; or none
  bool reverse = false;            // each sequence is read from its end
  const int64_t* places = nullptr;  // (N): where the row lies in x, y and their gradients; or none, if in this order
  int64_t place(int64_t row) const { return places == nullptr ? row : places[row]; }
};

// Weights as torch.nn lays them out, and where they lie packed for the kernels.
struct Weights {
  const void *ih = nullptr, *hh = nullptr;            // (G H, I), (G H, H)
  const void *bias_ih = nullptr, *bias_hh = nullptr;  // (G H) or none
  // (H) each: peepholes of i, f, o; the recurrent weight of an independent unit. Of the layer-normalised cells: the gains
  // of the input's and of the state's product (G H), and of the LSTM also gain and bias (or none) of c (H).
  const void* more[4] = {};
  const void* hr = nullptr;  // (P, H), the projection of the output, or none: then P = H
};

// Recurrent dropout and zoneout; see noise.h. Thresholds are shares of 2^32.
struct Noise {
  bool on = false, training = false;
  uint64_t seed = 0;
  int layer = 0, direction = 0;
  const int64_t* sequences = nullptr;  // (B): which sequence lies in a slot
  uint64_t drop = 0, hold_h = 0, hold_c = 0;
  double scale = 1, share_h = 0, share_c = 0;  // 1 / (1 - dropped); what is held outside training
};

struct Forward {
  int64_t inputs = 0, units = 0;
  Rows rows;
  Weights weights;
  Noise noise;
  const void* x = nullptr;  // (N, I)
  const void* h0 = nullptr; // (B, H)
  const void* c0 = nullptr; // (B, H), for cells that have c
  void* y = nullptr;        // (N, H) in rows of y_stride
  int64_t y_stride = 0;
  void* hn = nullptr;       // (B, H)
  void* cn = nullptr;       // (B, H)
  void* saved = nullptr;    // gates for backward, saved_size numbers; or none, in inference
  void* c = nullptr;        // (N, H) cell states for backward; or none
  int64_t outputs = 0;      // P with a projection: h0, hn and y have P columns, and so has W_hh; else 0
};

struct Backward {
  int64_t inputs = 0, units = 0;
  Rows rows;
  Weights weights;
  Noise noise;
  const void* x = nullptr;
  const void *h0 = nullptr, *c0 = nullptr;
  const void* y = nullptr;  // the outputs of forward
  int64_t y_stride = 0;
  const void* saved = nullptr;  // or none: the gates are computed again
  const void* c = nullptr;
  const void* dy = nullptr;  // (N, H) in rows of dy_stride; or none
  int64_t dy_stride = 0;
  const void *dhn = nullptr, *dcn = nullptr;  // (B, H) or none
  void* dx = nullptr;                         // (N, I); or none
  void *dh0 = nullptr, *dc0 = nullptr;        // (B, H)
  void *dih = nullptr, *dhh = nullptr;        // as the weights
  void *dbias_ih = nullptr, *dbias_hh = nullptr;
  void* dmore[4] = {};
  void* dhr = nullptr;
  int64_t outputs = 0;  // as in Forward
};

// One thread of a team at work on a call.
struct Member {
  int id = 0, count = 1;
  void (*wait)(void*) = nullptr;  // returns when every member has called it
  void* team = nullptr;
  void sync() const {
    if (count > 1) wait(team);
  }
};

// What one instruction set offers for one cell and number; nothing where it has no such kernel.
struct Kernel {
  int64_t (*saved_size)(int64_t units, int64_t total);  // numbers
  int64_t (*forward_scratch)(const Forward&, int members);    // bytes
  int64_t (*backward_scratch)(const Backward&, int members);  // bytes
  int (*members)(int64_t inputs, int64_t units, const Rows&, int most);  // how many threads the work is worth
  void (*forward)(const Forward&, const Member&, char* scratch);
  void (*backward)(const Backward&, const Member&, char* scratch);
};

// One step of one layer for some of the streams whose states lie in h and c.
struct StreamStep {
  int64_t inputs = 0, units = 0, rows = 0;
  const int64_t* slots = nullptr;  // (rows): row i belongs to stream slots[i]; or none: to stream i
  const void* packed = nullptr;    // by StreamKernel::pack
  const void* x = nullptr;         // (rows, I); or one a slot, where x_by_slot
  bool x_by_slot = false;
  const void* h = nullptr;  // (slots, H): the states before
  void* c = nullptr;        // (slots, H), for cells that have c: the states before, and then those after
  void* y = nullptr;        // (rows, H): the states after
  char* scratch = nullptr;  // (rows) of scratch_row bytes
  bool descending = false;  // the last panel first
};

// What one instruction set offers for the streams of one cell, weights stored in one way. A step of a row is prepare, and
// then compute for all panels; rows may be done by different threads.
struct StreamKernel {
  int64_t (*panels)(int64_t units);
  int64_t (*packed_size)(int64_t inputs, int64_t units);  // bytes
  void (*pack)(int64_t inputs, int64_t units, const Weights&, void* packed);
  int64_t (*scratch_row)(int64_t inputs, int64_t units);  // bytes
  void (*prepare)(const StreamStep&, int64_t first_row, int64_t last_row);
  void (*compute)(const StreamStep&, int64_t first_panel, int64_t last_panel, int64_t first_row, int64_t last_row);
};

}  // namespace ostinato
