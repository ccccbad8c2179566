// A stack of layers that goes a step at a time, for any number of independent streams: weights packed once.
#pragma once

#include <memory>
#include <vector>

#include "layer.h"

namespace ostinato {

class Stream {
 public:
  // `worth`: the microseconds that a layer must take one thread before another is woken to take of its units.
  Stream(Cell cell, Stored stored, int64_t inputs, int64_t units, int layers, int threads, double worth = 45);

  // Of one layer, in torch.nn's layout; in double where the weights are stored as double, else in float.
  void pack(int layer, const Weights& weights);

  // Where the states lie: (L, slots, H) each, c for cells that have it; open: one flag a slot. They outlive the stream or
  // the next call.
  void bind(void* h, void* c, const uint8_t* open, int64_t slots);

  // The first row of `rows` whose slot does not exist, is closed or stood in a row before; -1 if there is none.
  int64_t misplaced(const int64_t* slots, int64_t rows);

  // One step of the streams slots[0..rows), or where there are no slots of streams 0 to rows: x (rows, I), y (rows, H).
  // The two must not overlap. No two steps at a time.
  void step(const void* x, const int64_t* slots, int64_t rows, void* y);

  // Whether a step of so many rows takes long enough for others to use the time.
  bool lasts(int64_t rows) const { return microseconds(rows) > 20; }

  Cell cell() const { return cell_; }
  Stored stored() const { return stored_; }
  int64_t inputs() const { return inputs_; }
  int64_t units() const { return units_; }
  int64_t slots() const { return slots_; }

 private:
  struct Freed {
    void operator()(char* memory) const;
  };
  using Memory = std::unique_ptr<char, Freed>;
  static Memory take(int64_t bytes);

  int64_t width(int layer) const { return layer == 0 ? inputs_ : units_; }
  double microseconds(int64_t rows) const;
  void keep(int layer, const int64_t* slots, const char* y, int64_t first, int64_t last) const;

  struct Call;
  struct Panels;
  static void work(void* call, const Member& member);
  void timed(Call& call);

  const StreamKernel& kernel_;
  const Cell cell_;
  const Stored stored_;
  const int64_t inputs_, units_, number_size_;
  const int layers_, threads_;
  const double worth_;
  double work_ = 0, bytes_ = 0;  // products a row; size of the weights
  double fastest_ = 1e9;         // microseconds of a step by one thread, of those timed
  int timed_ = 0;
  std::vector<Memory> packed_;
  char *h_ = nullptr, *c_ = nullptr;
  const uint8_t* open_ = nullptr;
  int64_t slots_ = 0;
  Memory scratch_;
  int64_t scratch_size_ = 0;
  bool descending_ = false;     // every other step, so that it begins with the weights the caches still hold
  std::vector<uint32_t> seen_;  // by slot, the last call in which it stood
  uint32_t call_ = 0;
};

}  // namespace ostinato
