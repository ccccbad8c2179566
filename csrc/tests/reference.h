// A recurrent layer over ragged rows in plain loops of double precision, one sequence after the other, straight from the
// equations of src/ostinato/cells: what the kernels are held to.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "../layer.h"

namespace ostinato::tests {

using Numbers = std::vector<double>;

// Time-major packed rows of sequences of these lengths, which fall.
struct Ragged {
  std::vector<int64_t> lengths, sizes, starts;
  std::vector<uint8_t> reset;  // or empty
  int64_t total = 0;
  bool reverse = false;

  Ragged() = default;
  explicit Ragged(std::vector<int64_t> of) : lengths(std::move(of)) {
    for (int64_t t = 0; !lengths.empty() && t < lengths[0]; ++t) {
      int64_t alive = 0;
      while (alive < slots() && lengths[static_cast<size_t>(alive)] > t) ++alive;
      sizes.push_back(alive), starts.push_back(total);
      total += alive;
    }
  }
  int64_t slots() const { return static_cast<int64_t>(lengths.size()); }
  // The rows of a sequence in the order of processing.
  std::vector<int64_t> order(int64_t slot) const {
    std::vector<int64_t> rows;
    for (int64_t t = 0; t < lengths[static_cast<size_t>(slot)]; ++t) rows.push_back(starts[static_cast<size_t>(t)] + slot);
    if (reverse) rows = std::vector<int64_t>(rows.rbegin(), rows.rend());
    return rows;
  }
  Rows rows() const {
    return {static_cast<int64_t>(sizes.size()), slots(), total, sizes.data(), starts.data(),
            reset.empty() ? nullptr : reset.data(), reverse};
  }
};

struct Problem {
  Cell cell;
  int64_t inputs, units, outputs;  // outputs: units, or of a projection
  Ragged ragged;
  bool bias;
  Numbers ih, hh, bias_ih, bias_hh, more[4], hr, x, h0, c0, dy, dhn, dcn;
  Noise noise;  // its sequences are those below
  std::vector<int64_t> sequences;

  bool is(std::initializer_list<Cell> some) const { return std::find(some.begin(), some.end(), cell) != some.end(); }
  bool independent() const { return is({Cell::independent_relu, Cell::independent_tanh}); }
  bool relu() const { return is({Cell::elman_relu, Cell::independent_relu}); }
  bool normalised() const { return is({Cell::lstm_norm, Cell::gru_norm}); }
  bool staged() const { return cell >= Cell::lstm_projected; }
  bool has_c() const {
    return is({Cell::lstm, Cell::lstm_peephole, Cell::lstm_coupled, Cell::lstm_projected, Cell::lstm_peephole_projected,
               Cell::lstm_coupled_projected, Cell::lstm_norm});
  }
  int64_t gates() const {
    if (is({Cell::gru, Cell::gru_before, Cell::gru_norm, Cell::lstm_coupled, Cell::lstm_coupled_projected})) return 3;
    return has_c() ? 4 : 1;
  }
  // How many numbers further weights have: a cell has the first few.
  int64_t further(int i) const {
    if (normalised()) return i < 2 ? gates() * units : cell == Cell::lstm_norm && (i == 2 || bias) ? units : 0;
    return i < (is({Cell::lstm_peephole, Cell::lstm_peephole_projected}) ? 3 : independent() ? 1 : 0) ? units : 0;
  }
};

// Bits of a mask, as src/ostinato/engines/noise.py defines them.
inline uint32_t mask_bits(const Noise& noise, uint64_t kind, int64_t step, int64_t sequence, int64_t unit) {
  const auto mix = [](uint64_t x) {
    x ^= x >> 30, x *= 0xbf58476d1ce4e5b9u, x ^= x >> 27, x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
  };
  const auto hash = [](uint32_t x) {
    x ^= x >> 16, x *= 0x85ebca6bu, x ^= x >> 13, x *= 0xc2b2ae35u;
    return x ^ x >> 16;
  };
  constexpr uint64_t gamma = 0x9e3779b97f4a7c15u;
  const auto of = [](int64_t n) { return static_cast<uint64_t>(n); };
  uint64_t key = mix(noise.seed + gamma * (1 + kind + 8 * of(noise.direction) + 16 * of(noise.layer)));
  key = mix(key + gamma * (1 + of(step)));
  key = mix(key + gamma * (1 + of(sequence)));
  return hash(hash(static_cast<uint32_t>(unit) ^ static_cast<uint32_t>(key)) + static_cast<uint32_t>(key >> 32));
}

// What the noise does to one unit: the factor of its candidate, and the share of its old states that is held.
struct NoiseAt {
  double keep = 1, held_h = 0, held_c = 0;
};
inline NoiseAt noise_at(const Problem& p, int64_t slot, int64_t row, int64_t unit) {
  const Noise& n = p.noise;
  if (!n.on) return {};
  size_t step = 0;
  while (row >= p.ragged.starts[step] + p.ragged.sizes[step]) ++step;
  const auto hit = [&](uint64_t kind, uint64_t threshold) {
    return mask_bits(n, kind, static_cast<int64_t>(step), p.sequences[static_cast<size_t>(slot)], unit) < threshold;
  };
  if (!n.training) return {1, n.share_h, n.share_c};
  return {hit(4, n.drop) ? 0 : n.scale, hit(5, n.hold_h) ? 1.0 : 0.0, hit(6, n.hold_c) ? 1.0 : 0.0};
}

struct Answer {
  Numbers y, hn, cn, dx, dh0, dc0, dih, dhh, dbias_ih, dbias_hh, dmore[4], dhr;

  explicit Answer(const Problem& p)
      : y(static_cast<size_t>(p.ragged.total * p.outputs)), hn(p.h0), cn(p.c0), dx(p.x.size()), dh0(p.h0.size()),
        dc0(p.c0.size()), dih(p.ih.size()), dhh(p.hh.size()), dbias_ih(static_cast<size_t>(p.gates() * p.units)),
        dbias_hh(dbias_ih), dmore{}, dhr(p.hr.size()) {
    for (int i = 0; i < 4; ++i) dmore[i].assign(p.more[i].size(), 0);
  }
};

class Reference {
 public:
  explicit Reference(const Problem& p) : a(p), p(p), G(p.gates()), H(p.units), I(p.inputs) {
    const int64_t N = p.ragged.total, B = p.ragged.slots();
    for (Numbers* all : {&c, &c_new}) all->assign(size(N * H), 0);
    gate.assign(size(N * G * H), 0), hidden_n.assign(size(N * H), 0);
    for (int64_t j = 0; j < B; ++j) sequence(j);
  }
  Answer a;

 private:
  static size_t size(int64_t n) { return static_cast<size_t>(n); }
  static double logistic(double x) { return 1 / (1 + std::exp(-x)); }

  // What a row starts from: the state of the row before it, or the initial one.
  const double* h_before(int64_t slot, int64_t before) const { return before < 0 ? &p.h0[size(slot * H)] : &a.y[size(before * H)]; }
  const double* c_before(int64_t slot, int64_t before) const { return before < 0 ? &p.c0[size(slot * H)] : &c[size(before * H)]; }

  void sequence(int64_t j) {
    const std::vector<int64_t> rows = p.ragged.order(j);
    std::vector<int64_t> before(rows.size());
    for (size_t k = 0; k < rows.size(); ++k) {
      before[k] = k == 0 || (!p.ragged.reset.empty() && p.ragged.reset[size(rows[k])] != 0) ? -1 : rows[k - 1];
      step(j, rows[k], before[k]);
    }
    Numbers dh(size(H)), dc(size(H));
    for (int64_t u = 0; u < H; ++u) {
      a.hn[size(j * H + u)] = rows.empty() ? p.h0[size(j * H + u)] : a.y[size(rows.back() * H + u)];
      if (!p.dhn.empty()) dh[size(u)] = p.dhn[size(j * H + u)];
      if (!p.has_c()) continue;
      a.cn[size(j * H + u)] = rows.empty() ? p.c0[size(j * H + u)] : c[size(rows.back() * H + u)];
      if (!p.dcn.empty()) dc[size(u)] = p.dcn[size(j * H + u)];
    }
    for (int64_t u = 0; rows.empty() && u < H; ++u) {  // the final state is the initial one
      a.dh0[size(j * H + u)] = dh[size(u)];
      if (p.has_c()) a.dc0[size(j * H + u)] = dc[size(u)];
    }
    for (size_t k = rows.size(); k-- > 0;) {
      if (!p.dy.empty())
        for (int64_t u = 0; u < H; ++u) dh[size(u)] += p.dy[size(rows[k] * H + u)];
      step_back(j, rows[k], before[k], dh, dc);
      if (before[k] >= 0) continue;
      for (int64_t u = 0; u < H; ++u) {
        a.dh0[size(j * H + u)] += dh[size(u)];
        if (p.has_c()) a.dc0[size(j * H + u)] += dc[size(u)];
        dh[size(u)] = dc[size(u)] = 0;
      }
    }
  }

  double sum_ih(int64_t g, int64_t u, const double* x) const {
    double sum = p.bias ? p.bias_ih[size(g * H + u)] : 0;
    for (int64_t k = 0; k < I; ++k) sum += p.ih[size((g * H + u) * I + k)] * x[k];
    return sum;
  }
  double sum_hh(int64_t g, int64_t u, const double* h) const {
    if (p.independent()) return p.more[0][size(u)] * h[u];
    double sum = p.bias ? p.bias_hh[size(g * H + u)] : 0;
    for (int64_t k = 0; k < H; ++k) sum += p.hh[size((g * H + u) * H + k)] * h[k];
    return sum;
  }

  void step(int64_t j, int64_t row, int64_t before) {
    const double *x = &p.x[size(row * I)], *h = h_before(j, before);
    for (int64_t u = 0; u < H; ++u) {
      const NoiseAt here = noise_at(p, j, row, u);
      double s[4], t[4], sum[4];
      for (int64_t g = 0; g < G; ++g) s[g] = sum_ih(g, u, x), t[g] = sum_hh(g, u, h), sum[g] = s[g] + t[g];
      double *act = &gate[size((row * H + u) * G)], y = 0;
      if (p.has_c()) {
        const double was = c_before(j, before)[u];
        const bool peephole = p.cell == Cell::lstm_peephole, coupled = p.cell == Cell::lstm_coupled;
        const int g = coupled ? 1 : 2, o = coupled ? 2 : 3;
        if (peephole) sum[0] += p.more[0][size(u)] * was, sum[1] += p.more[1][size(u)] * was;
        act[0] = logistic(sum[0]), act[g] = std::tanh(sum[g]);
        if (!coupled) act[1] = logistic(sum[1]);
        const double now = (coupled ? 1 - act[0] : act[1]) * was + act[0] * act[g] * here.keep;
        if (peephole) sum[o] += p.more[2][size(u)] * now;
        act[o] = logistic(sum[o]);
        c_new[size(row * H + u)] = now;
        c[size(row * H + u)] = now + here.held_c * (was - now);
        y = act[o] * std::tanh(now);
      } else if (p.cell == Cell::gru) {
        act[0] = logistic(sum[0]), act[1] = logistic(sum[1]), act[2] = std::tanh(s[2] + act[0] * t[2]);
        hidden_n[size(row * H + u)] = t[2];
        y = (1 - act[1]) * act[2] * here.keep + act[1] * h[u];
      } else {
        act[0] = y = p.relu() ? std::max(0.0, sum[0]) : std::tanh(sum[0]);
      }
      a.y[size(row * H + u)] = y + here.held_h * (h[u] - y);
    }
  }

  // From the gradients of a row's state, those of the state before it; adds to those of weights and input.
  void step_back(int64_t j, int64_t row, int64_t before, Numbers& dh, Numbers& dc) {
    const double *x = &p.x[size(row * I)], *h = h_before(j, before);
    Numbers earlier(size(H), 0);
    for (int64_t u = 0; u < H; ++u) {
      const NoiseAt here = noise_at(p, j, row, u);
      const double *act = &gate[size((row * H + u) * G)], d = dh[size(u)] * (1 - here.held_h);
      double ds[4], dt[4];  // of the sums from the input and from the state
      earlier[size(u)] += dh[size(u)] * here.held_h;
      if (p.has_c()) {
        lstm_back(j, row, before, u, here, d, dc, ds);
      } else if (p.cell == Cell::gru) {
        const double n = d * (1 - act[1]) * here.keep * (1 - act[2] * act[2]);
        ds[0] = n * hidden_n[size(row * H + u)] * act[0] * (1 - act[0]);
        ds[1] = d * (h[u] - act[2] * here.keep) * act[1] * (1 - act[1]), ds[2] = n;
        earlier[size(u)] += d * act[1];
      } else {
        ds[0] = p.relu() ? (act[0] > 0 ? d : 0) : d * (1 - act[0] * act[0]);
      }
      for (int64_t g = 0; g < G; ++g) {
        dt[g] = p.cell == Cell::gru && g == 2 ? ds[2] * act[0] : ds[g];
        a.dbias_ih[size(g * H + u)] += ds[g], a.dbias_hh[size(g * H + u)] += dt[g];
        for (int64_t k = 0; k < I; ++k) {
          a.dih[size((g * H + u) * I + k)] += ds[g] * x[k];
          a.dx[size(row * I + k)] += ds[g] * p.ih[size((g * H + u) * I + k)];
        }
        for (int64_t k = 0; k < H && !p.independent(); ++k) {
          a.dhh[size((g * H + u) * H + k)] += dt[g] * h[k];
          earlier[size(k)] += dt[g] * p.hh[size((g * H + u) * H + k)];
        }
      }
      if (!p.independent()) continue;
      a.dmore[0][size(u)] += ds[0] * h[u];
      earlier[size(u)] += ds[0] * p.more[0][size(u)];
    }
    dh = earlier;
  }

  void lstm_back(int64_t j, int64_t row, int64_t before, int64_t u, const NoiseAt& here, double d, Numbers& dc, double* ds) {
    const bool peephole = p.cell == Cell::lstm_peephole, coupled = p.cell == Cell::lstm_coupled;
    const int g = coupled ? 1 : 2, o = coupled ? 2 : 3;
    const double *act = &gate[size((row * H + u) * G)], was = c_before(j, before)[u], now = c_new[size(row * H + u)];
    const double squashed = std::tanh(now), written = act[g] * here.keep, forget = coupled ? 1 - act[0] : act[1];
    ds[o] = d * squashed * act[o] * (1 - act[o]);
    double of_c = dc[size(u)] * (1 - here.held_c) + d * act[o] * (1 - squashed * squashed);
    if (peephole) of_c += ds[o] * p.more[2][size(u)];
    ds[0] = of_c * (coupled ? written - was : written) * act[0] * (1 - act[0]);
    ds[g] = of_c * act[0] * here.keep * (1 - act[g] * act[g]);
    if (!coupled) ds[1] = of_c * was * act[1] * (1 - act[1]);
    dc[size(u)] = dc[size(u)] * here.held_c + of_c * forget;
    if (!peephole) return;
    dc[size(u)] += ds[0] * p.more[0][size(u)] + ds[1] * p.more[1][size(u)];
    a.dmore[0][size(u)] += ds[0] * was, a.dmore[1][size(u)] += ds[1] * was, a.dmore[2][size(u)] += ds[o] * now;
  }

  const Problem& p;
  const int64_t G, H, I;
  Numbers c, c_new, gate, hidden_n;
};

}  // namespace ostinato::tests
