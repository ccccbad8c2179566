#include "stream.h"

#include <algorithm>
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

Stream::Stream(Cell cell, Stored stored, int64_t inputs, int64_t units, int layers, int threads)
    : kernel_(isa().streams[static_cast<int>(cell)][static_cast<int>(stored)]), cell_(cell), stored_(stored),
      inputs_(inputs), units_(units), number_size_(stored == Stored::float64 ? 8 : 4), layers_(layers),
      threads_(threads) {
  for (int l = 0; l < layers; ++l) {
    packed_.push_back(take(kernel_.packed_size(width(l), units)));
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

void Stream::layer(int number, const void* x, const int64_t* slots, int64_t rows, void* y) {
  const int64_t states = slots_ * units_ * number_size_, row = units_ * number_size_;
  char* h = h_ + number * states;
  StreamStep s;
  s.inputs = width(number), s.units = units_, s.rows = rows, s.slots = slots;
  s.packed = packed_[static_cast<size_t>(number)].get();
  s.x = x, s.x_by_slot = number > 0;
  s.h = h, s.c = c_ + number * states, s.y = y, s.scratch = scratch_.get();
  kernel_.prepare(s, 0, rows);
  kernel_.compute(s, 0, kernel_.panels(units_), 0, rows);
  if (slots == nullptr) {
    std::memcpy(h, y, static_cast<size_t>(rows * row));
  } else {
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(h + slots[i] * row, static_cast<const char*>(y) + i * row, static_cast<size_t>(row));
  }
}

void Stream::step(const void* x, const int64_t* slots, int64_t rows, void* y) {
  if (rows == 0) return;
  const int64_t quantised = rows * std::max(kernel_.scratch_row(inputs_, units_), kernel_.scratch_row(units_, units_));
  const int64_t between = layers_ > 1 ? rows * units_ * number_size_ : 0;
  if (quantised + between > scratch_size_) {
    scratch_ = take(quantised + between);
    scratch_size_ = quantised + between;
  }
  for (int l = 0; l < layers_; ++l) {
    layer(l, x, slots, rows, l + 1 == layers_ ? y : scratch_.get() + quantised);
    x = h_ + l * slots_ * units_ * number_size_;
  }
}

}  // namespace ostinato
