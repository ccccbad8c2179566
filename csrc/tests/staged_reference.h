// The cells of several stages a step, from the equations of src/ostinato/cells; gradients by a tape.
#pragma once

#include "reference.h"
#include "tape.h"

namespace ostinato::tests {

class StagedReference {
 public:
  explicit StagedReference(const Problem& p) : a(p), p(p), H(p.units), P(p.outputs) {
    for (int64_t j = 0; j < p.ragged.slots(); ++j) sequence(j);
  }
  Answer a;

 private:
  struct State {
    V h, c;
  };
  // What the noise does in one row.
  struct Here {
    V keep, held_h, held_c;
  };

  void sequence(int64_t j) {
    Tape own;
    tape = &own;
    const auto at = [](const Numbers& from, int64_t place) { return from.empty() ? nullptr : &from[size(place)]; };
    State first{own.leaf(&p.h0[size(j * P)], P, &a.dh0[size(j * P)]), {}};
    if (p.has_c()) first.c = own.leaf(&p.c0[size(j * H)], H, &a.dc0[size(j * H)]);
    State now = first;
    for (int64_t row : p.ragged.order(j)) {
      if (!p.ragged.reset.empty() && p.ragged.reset[size(row)] != 0) now = first;
      x = own.leaf(&p.x[size(row * p.inputs)], p.inputs, &a.dx[size(row * p.inputs)]);
      now = step(now, noise(j, row));
      std::copy(now.h.value().begin(), now.h.value().end(), &a.y[size(row * P)]);
      now.h.seed(&p.dy[size(row * P)]);
    }
    std::copy(now.h.value().begin(), now.h.value().end(), &a.hn[size(j * P)]);
    if (!p.dhn.empty()) now.h.seed(at(p.dhn, j * P));
    if (p.has_c()) {
      std::copy(now.c.value().begin(), now.c.value().end(), &a.cn[size(j * H)]);
      if (!p.dcn.empty()) now.c.seed(at(p.dcn, j * H));
    }
    own.back();
  }

  Here noise(int64_t j, int64_t row) const {
    Numbers keep, held_h, held_c;
    for (int64_t u = 0; u < H; ++u) {
      const NoiseAt found = noise_at(p, j, row, u);
      keep.push_back(found.keep), held_c.push_back(found.held_c);
      if (u < P) held_h.push_back(found.held_h);
    }
    return {tape->constant(keep), tape->constant(held_h), tape->constant(held_c)};
  }
  static V held(V share, V before, V after) { return after + share * (before - after); }

  // Gates from `first` on, one vector of all: products, biases and gains.
  V input(int64_t first, int64_t count) {
    const int64_t at = first * H * p.inputs;
    return tape->product(&p.ih[size(at)], &a.dih[size(at)], count * H, x);
  }
  V hidden(int64_t first, int64_t count, V h) {
    const int64_t at = first * H * P;
    return tape->product(&p.hh[size(at)], &a.dhh[size(at)], count * H, h);
  }
  V vector(const Numbers& from, Numbers& to, int64_t first, int64_t count) const {
    return tape->leaf(&from[size(first * H)], count * H, &to[size(first * H)]);
  }
  V plus_bias(V sum, const Numbers& from, Numbers& to, int64_t first, int64_t count) const {
    return p.bias ? sum + vector(from, to, first, count) : sum;
  }
  V more(int which, int64_t first, int64_t count) { return vector(p.more[which], a.dmore[which], first, count); }
  V input_sum(int64_t first, int64_t count) {
    V sum = input(first, count);
    if (p.normalised()) sum = normalised(sum) * more(0, first, count);
    return plus_bias(sum, p.bias_ih, a.dbias_ih, first, count);
  }
  V hidden_sum(int64_t first, int64_t count, V h) {
    V sum = hidden(first, count, h);
    if (p.normalised()) sum = normalised(sum) * more(1, first, count);
    return plus_bias(sum, p.bias_hh, a.dbias_hh, first, count);
  }

  State step(const State& s, const Here& here) {
    if (p.has_c()) return lstm(s, here);
    const V sums = input_sum(0, 2) + hidden_sum(0, 2, s.h), r = logistic(Tape::part(sums, 0, H)),
            z = logistic(Tape::part(sums, H, H));
    const V inner = p.normalised() ? r * hidden_sum(2, 1, s.h) : hidden_sum(2, 1, r * s.h);
    const V n = tanh(input_sum(2, 1) + inner) * here.keep;
    return {held(here.held_h, s.h, n + z * (s.h - n)), {}};
  }

  State lstm(const State& s, const Here& here) {
    const bool peephole = p.cell == Cell::lstm_peephole_projected, coupled = p.cell == Cell::lstm_coupled_projected;
    const int64_t G = p.gates();
    const V sums = input_sum(0, G) + hidden_sum(0, G, s.h);
    const auto gate = [&](int64_t g) { return Tape::part(sums, g * H, H); };
    V i = gate(0), f = gate(1), o = gate(G - 1);
    if (peephole) i = i + more(0, 0, 1) * s.c, f = f + more(1, 0, 1) * s.c;
    i = logistic(i), f = coupled ? affine(i, -1, 1) : logistic(f);
    const V c = f * s.c + i * (tanh(gate(G - 2)) * here.keep);
    if (peephole) o = o + more(2, 0, 1) * c;
    V shown = c;
    if (p.normalised()) {
      shown = normalised(c) * more(2, 0, 1);
      if (p.bias) shown = shown + more(3, 0, 1);
    }
    V h = logistic(o) * tanh(shown);
    if (!p.hr.empty()) h = tape->product(p.hr.data(), a.dhr.data(), P, h);
    return {held(here.held_h, s.h, h), held(here.held_c, s.c, c)};
  }

  static size_t size(int64_t n) { return static_cast<size_t>(n); }

  const Problem& p;
  const int64_t H, P;
  Tape* tape = nullptr;  // of the sequence at work
  V x;
};

}  // namespace ostinato::tests
