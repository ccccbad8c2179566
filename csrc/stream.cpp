#include "stream.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "isa.h"
#include "team.h"

namespace ostinato {

namespace {

constexpr int gates[static_cast<int>(Cell::count)] = {1, 1, 4, 3};

}  // namespace

void Stream::Freed::operator()(char* memory) const { std::free(memory); }

Stream::Memory Stream::take(int64_t bytes) {
  const size_t rounded = (static_cast<size_t>(bytes) + 4095) / 4096 * 4096;
  Memory memory(static_cast<char*>(std::aligned_alloc(4096, std::max<size_t>(rounded, 4096))));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

Stream::Stream(Cell cell, Stored stored, int64_t inputs, int64_t units, int layers, int threads, double worth)
    : kernel_(isa().streams.kernels[static_cast<int>(cell)][static_cast<int>(stored)]), cell_(cell), stored_(stored),
      inputs_(inputs), units_(units), number_size_(stored == Stored::float64 ? 8 : 4), layers_(layers),
      threads_(threads), worth_(worth) {
  for (int l = 0; l < layers; ++l) {
    const int64_t size = kernel_.packed_size(width(l), units);
    packed_.push_back(take(size));
    bytes_ += static_cast<double>(size);
    work_ += static_cast<double>(gates[static_cast<int>(cell)]) * static_cast<double>(units * (width(l) + units));
  }
}

void Stream::pack(int layer, const Weights& weights) {
  kernel_.pack(width(layer), units_, weights, packed_[static_cast<size_t>(layer)].get());
}

void Stream::bind(void* h, void* c, const uint8_t* open, int64_t slots) {
  seen_.assign(static_cast<size_t>(slots), 0);
  call_ = 0;
  h_ = static_cast<char*>(h), c_ = static_cast<char*>(c), open_ = open, slots_ = slots;
}

int64_t Stream::misplaced(const int64_t* slots, int64_t rows) {
  if (++call_ == 0) {
    std::fill(seen_.begin(), seen_.end(), 0);
    call_ = 1;
  }
  for (int64_t i = 0; i < rows; ++i) {
    if (slots[i] < 0 || slots[i] >= slots_ || open_[slots[i]] == 0) return i;
    uint32_t& seen = seen_[static_cast<size_t>(slots[i])];
    if (seen == call_) return i;
    seen = call_;
  }
  return -1;
}

// What a step is made of, for every member of the team.
struct Stream::Call {
  const Stream& stream;
  const void* x;
  const int64_t* slots;
  int64_t rows;
  char *y, *between, *scratch;
  int64_t scratch_row;  // bytes, the most of any layer
  bool by_units = false;
};

// The panels of one layer: the caller takes them from the front and its helpers from the back, so that each finds again in
// its caches what it read at the step before.
struct Stream::Panels {
  const Stream& stream;
  const StreamStep& step;
  const int64_t count;
  std::atomic<int64_t> taken{0}, from_back{0};

  static void work(void* context, const Member& member) {
    Panels& self = *static_cast<Panels*>(context);
    for (int64_t front = 0; self.taken.fetch_add(1) < self.count; ++front) {
      const int64_t p = member.id == 0 ? front : self.count - 1 - self.from_back.fetch_add(1);
      self.stream.kernel_.compute(self.step, p, p + 1, 0, self.step.rows);
    }
  }
};

// Members share the rows, each through all layers, and wait for nobody.
void Stream::work(void* context, const Member& member) {
  const Call& call = *static_cast<const Call*>(context);
  const Stream& self = call.stream;
  const int64_t first = call.rows * member.id / member.count, last = call.rows * (member.id + 1) / member.count;
  const int64_t states = self.slots_ * self.units_ * self.number_size_;
  for (int l = 0; l < self.layers_; ++l) {
    char* y = l + 1 == self.layers_ ? call.y : call.between;
    StreamStep s;
    s.inputs = self.width(l), s.units = self.units_, s.rows = call.rows, s.slots = call.slots;
    s.packed = self.packed_[static_cast<size_t>(l)].get();
    s.x = l == 0 ? call.x : self.h_ + (l - 1) * states;
    s.x_by_slot = l > 0;
    s.h = self.h_ + l * states, s.c = self.c_ + l * states;
    // Members may be at different layers, whose rows of scratch memory differ in size: each has a part of its own.
    s.scratch = call.scratch + first * (call.scratch_row - self.kernel_.scratch_row(s.inputs, s.units));
    s.y = y, s.descending = self.descending_;
    self.kernel_.prepare(s, first, last);
    const int64_t panels = self.kernel_.panels(self.units_);
    if (call.by_units) {
      Panels shared{self, s, panels};
      run_helped(self.threads_, Panels::work, &shared);
    } else {
      self.kernel_.compute(s, 0, panels, first, last);
    }
    self.keep(l, call.slots, y, first, last);
  }
}

// The states after the step, from the rows of y to their slots.
void Stream::keep(int layer, const int64_t* slots, const char* y, int64_t first, int64_t last) const {
  const int64_t row = units_ * number_size_;
  char* h = h_ + layer * slots_ * row;
  if (slots == nullptr) {
    std::memcpy(h + first * row, y + first * row, static_cast<size_t>((last - first) * row));
    return;
  }
  for (int64_t i = first; i < last; ++i) std::memcpy(h + slots[i] * row, y + i * row, static_cast<size_t>(row));
}

double Stream::microseconds(int64_t rows) const {
  // The slower of what one core computes (some 1e5 products a microsecond) and reads (some 1e5 bytes).
  return std::max(static_cast<double>(rows) * work_, bytes_) * 1e-5;
}

void Stream::step(const void* x, const int64_t* slots, int64_t rows, void* y) {
  if (rows == 0) return;
  const int64_t scratch_row = std::max(kernel_.scratch_row(inputs_, units_), kernel_.scratch_row(units_, units_));
  const int64_t scratch = rows * scratch_row;
  const int64_t between = layers_ > 1 ? rows * units_ * number_size_ : 0;
  if (scratch + between > scratch_size_) {
    scratch_size_ = 0;
    scratch_ = take(scratch + between);
    scratch_size_ = scratch + between;
  }
  descending_ = !descending_;
  Call call{*this, x, slots, rows, static_cast<char*>(y), scratch_.get() + scratch, scratch_.get(), scratch_row};
  if (threads_ > 1 && rows >= 8 * threads_) {
    if (microseconds(rows) > 150) return run_team(threads_, work, &call);
  } else if (threads_ > 1) {
    if (timed_ < 16) return timed(call);
    call.by_units = fastest_ > worth_ * layers_;
  }
  work(&call, Member{});
}

// Few rows of large layers take as long as their weights take to be read, which differs between processors by far.
void Stream::timed(Call& call) {
  const auto before = std::chrono::steady_clock::now();
  work(&call, Member{});
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - before;
  fastest_ = std::min(fastest_, spent.count());
  ++timed_;
}

}  // namespace ostinato
