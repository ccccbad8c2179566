// A recurrent layer over ragged rows in plain loops of double precision, one sequence after the other, straight from the
// equations of torch.nn: what the kernels are held to.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
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
  int64_t inputs, units;
  Ragged ragged;
  bool bias;
  Numbers ih, hh, bias_ih, bias_hh, x, h0, c0, dy, dhn, dcn;

  int64_t gates() const { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }
  bool has_c() const { return cell == Cell::lstm; }
};

struct Answer {
  Numbers y, hn, cn, dx, dh0, dc0, dih, dhh, dbias_ih, dbias_hh;
};

class Reference {
 public:
  explicit Reference(const Problem& p) : p(p), G(p.gates()), H(p.units), I(p.inputs) {
    const int64_t N = p.ragged.total, B = p.ragged.slots();
    for (Numbers* all : {&a.y, &c}) all->assign(size(N * H), 0);
    for (Numbers* all : {&a.hn, &a.dh0}) all->assign(size(B * H), 0);
    for (Numbers* all : {&a.cn, &a.dc0}) all->assign(size(p.has_c() ? B * H : 0), 0);
    a.dx.assign(size(N * I), 0), a.dih.assign(size(G * H * I), 0), a.dhh.assign(size(G * H * H), 0);
    a.dbias_ih.assign(size(G * H), 0), a.dbias_hh.assign(size(G * H), 0);
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
    double sum = p.bias ? p.bias_hh[size(g * H + u)] : 0;
    for (int64_t k = 0; k < H; ++k) sum += p.hh[size((g * H + u) * H + k)] * h[k];
    return sum;
  }

  void step(int64_t j, int64_t row, int64_t before) {
    const double *x = &p.x[size(row * I)], *h = h_before(j, before);
    for (int64_t u = 0; u < H; ++u) {
      double s[4], t[4];
      for (int64_t g = 0; g < G; ++g) s[g] = sum_ih(g, u, x), t[g] = sum_hh(g, u, h);
      double* act = &gate[size((row * H + u) * G)];
      double& y = a.y[size(row * H + u)];
      switch (p.cell) {
        case Cell::elman_tanh: act[0] = y = std::tanh(s[0] + t[0]); break;
        case Cell::elman_relu: act[0] = y = std::max(0.0, s[0] + t[0]); break;
        case Cell::lstm:
          act[0] = logistic(s[0] + t[0]), act[1] = logistic(s[1] + t[1]), act[2] = std::tanh(s[2] + t[2]);
          act[3] = logistic(s[3] + t[3]);
          c[size(row * H + u)] = act[1] * c_before(j, before)[u] + act[0] * act[2];
          y = act[3] * std::tanh(c[size(row * H + u)]);
          break;
        default:
          act[0] = logistic(s[0] + t[0]), act[1] = logistic(s[1] + t[1]);
          hidden_n[size(row * H + u)] = t[2];
          act[2] = std::tanh(s[2] + act[0] * t[2]);
          y = (1 - act[1]) * act[2] + act[1] * h[u];
      }
    }
  }

  // From the gradients of a row's state, those of the state before it; adds to those of weights and input.
  void step_back(int64_t j, int64_t row, int64_t before, Numbers& dh, Numbers& dc) {
    const double *x = &p.x[size(row * I)], *h = h_before(j, before);
    Numbers earlier(size(H), 0);
    for (int64_t u = 0; u < H; ++u) {
      const double* act = &gate[size((row * H + u) * G)];
      double ds[4], dt[4];  // of the sums from the input and from the state
      const double d = dh[size(u)];
      switch (p.cell) {
        case Cell::elman_tanh: ds[0] = d * (1 - act[0] * act[0]); break;
        case Cell::elman_relu: ds[0] = act[0] > 0 ? d : 0; break;
        case Cell::lstm: {
          const double squashed = std::tanh(c[size(row * H + u)]), was = c_before(j, before)[u];
          const double of_c = dc[size(u)] + d * act[3] * (1 - squashed * squashed);
          ds[0] = of_c * act[2] * act[0] * (1 - act[0]), ds[1] = of_c * was * act[1] * (1 - act[1]);
          ds[2] = of_c * act[0] * (1 - act[2] * act[2]), ds[3] = d * squashed * act[3] * (1 - act[3]);
          dc[size(u)] = of_c * act[1];
          break;
        }
        default: {
          const double n = d * (1 - act[1]) * (1 - act[2] * act[2]);
          ds[0] = n * hidden_n[size(row * H + u)] * act[0] * (1 - act[0]);
          ds[1] = d * (h[u] - act[2]) * act[1] * (1 - act[1]), ds[2] = n;
          earlier[size(u)] += d * act[1];
        }
      }
      for (int64_t g = 0; g < G; ++g) dt[g] = p.cell == Cell::gru && g == 2 ? ds[2] * act[0] : ds[g];
      for (int64_t g = 0; g < G; ++g) {
        a.dbias_ih[size(g * H + u)] += ds[g], a.dbias_hh[size(g * H + u)] += dt[g];
        for (int64_t k = 0; k < I; ++k) {
          a.dih[size((g * H + u) * I + k)] += ds[g] * x[k];
          a.dx[size(row * I + k)] += ds[g] * p.ih[size((g * H + u) * I + k)];
        }
        for (int64_t k = 0; k < H; ++k) {
          a.dhh[size((g * H + u) * H + k)] += dt[g] * h[k];
          earlier[size(k)] += dt[g] * p.hh[size((g * H + u) * H + k)];
        }
      }
    }
    dh = earlier;
  }

  const Problem& p;
  const int64_t G, H, I;
  Numbers c, gate, hidden_n;
};

}  // namespace ostinato::tests
