// Cells whose step has several stages: what each does with its gates, on vectors of units, and the derivative of it.
//
// Input, Hidden  the gates that the products with the input and with the state before have, in the order of the vectors
// S       vectors of a record, one for each row and unit vector: what the input product left, and what backward needs
// D       vectors of a gradient record: those of the input's gates from 0 on, those of the state's from hidden_at on
// A       parameters of each unit that are no matrix, and the sums that are their gradients; the input's biases first
// groups  rows that are normalised apart in each product: 0 without normalisation
// N       numbers of a row beside its records: mean and scale of each group of the input, of the state, and of c
// before_norm  where the gradient of each vector of the state's product is, before its normalisation
// twice   whether a second product reads the state through the reset gate
//
// Kept for backward, numbers a step beside the output: projected LSTMs 4 H (coupled 3 H) and c; GRU with the reset before its
// product 3 H; layer-normalised LSTM 8 H + 6 and c, its GRU 6 H + 8 (the gates are computed again from the two products).
// Without these records all of it is computed again.
#pragma once

#include "cells.h"
#include "layer.h"
#include "pack.h"
#include "staged_norm.h"

namespace ostinato::OSTINATO_ISA {

// Which layout a matrix has: rows of `gates` gates, or of plain columns; `vectors` unit vectors a panel.
template <class N, int gates, int vectors> struct Part {
  using Number = N;
  static constexpr int G = gates, units = vectors, S = G, D = G;
  static constexpr bool dense = true;
};

// Two rows of which a parameter is the sum, or to which its gradient goes; either may be none.
template <class P> struct Pair {
  P *first = nullptr, *second = nullptr;
};

// Gate g of both biases, or of the input's alone.
template <class P, class V> inline Pair<P> biases(V* ih, V* hh, int64_t g, int64_t units) {
  const auto at = [&](V* from) { return from == nullptr ? nullptr : static_cast<P*>(from) + g * units; };
  return {at(ih), at(hh)};
}

// What the gradient pass knows of one row and unit vector.
template <class T> struct Place {
  const T *record, *norm, *parameters;
  Before<T> before;
};

// An LSTM whose output is a product with W_hr.
template <class I> struct Projected {
  using Inner = I;
  using Number = typename Inner::Number;
  using T = Number;
  using Input = Part<T, Inner::G, 1>;
  using Hidden = Input;
  static constexpr int G = Inner::G, S = Inner::S, A = G + Inner::A, out_at = G, c_at = G + 1,
                       D = G + 1 + (Inner::own ? 1 : 0), hidden_at = 0, groups = 0, N = 0;
  static constexpr bool has_c = true, sees_h = false, twice = false, own = Inner::own;
  static constexpr const auto& input_gates = Inner::input_gates;
  static constexpr const auto& hidden_gates = Inner::hidden_gates;

  // P is const T or T, V void of the same.
  template <class P, class V>
  static Pair<P> parameter(V* ih, V* hh, [[maybe_unused]] V* const* more, int a, int64_t units) {
    if constexpr (own) {
      if (a >= G) return {static_cast<P*>(more[a - G]), nullptr};
    }
    return biases<P>(ih, hh, a, units);
  }
  static void forward(const vec<T>* sums, const T* record, const T* parameters, const Before<T>& before, vec<T>& out,
                      vec<T>& c, vec<T>* saved) {
    vec<T> sum[G];
    for (int g = 0; g < G; ++g) sum[g] = load(record + g * lanes<T>) + sums[g];
    Inner::template forward<true>(sum, record, parameters + G * lanes<T>, before, out, c, saved);
  }
  // From dL/d(what is projected).
  static void backward(const Place<T>& at, vec<T> dout, vec<T>& carry, T* to) {
    vec<T> saved[S], d[G];
    for (int i = 0; i < S; ++i) saved[i] = load(at.record + i * lanes<T>);
    Inner::template backward<true>(saved, at.parameters + G * lanes<T>, at.before, dout, carry, d);
    for (int g = 0; g < G; ++g) store(to + g * lanes<T>, d[g]);
    const vec<T> g = S == 4 ? saved[2] : saved[1], written = g * at.before.keep;
    const vec<T> c = (S == 4 ? saved[1] : T(1) - saved[0]) * at.before.c + saved[0] * written;
    store(to + out_at * lanes<T>, saved[S - 1] * tanh<T>(c));
    if constexpr (own) store(to + c_at * lanes<T>, c);
  }
  static void add(vec<T>* sum, const T* d, const Place<T>& at) {
    for (int g = 0; g < G; ++g) sum[g] += load(d + g * lanes<T>);
    if constexpr (own) Inner::add(sum + G, d, at.before.h, at.before.c, load(d + c_at * lanes<T>));
  }
};

// The reset gate before the product: r and z first, then W_hn (r h), then the rest. Record: r, z, n.
template <class N_> struct GruBefore {
  using Number = N_;
  using T = Number;
  using Input = Part<T, 3, 1>;
  using Hidden = Part<T, 2, 1>;
  static constexpr int S = 3, A = 3, D = 3, hidden_at = 0, groups = 0, N = 0, out_at = 2;
  static constexpr bool has_c = false, sees_h = true, twice = true, own = false;
  static constexpr int input_gates[3] = {0, 1, 2}, hidden_gates[2] = {0, 1};

  template <class P, class V> static Pair<P> parameter(V* ih, V* hh, V* const*, int a, int64_t units) {
    return biases<P>(ih, hh, a, units);
  }
  // What the second product reads; r and z go into the record.
  static vec<T> reset(const vec<T>* sums, T* record, vec<T> h) {
    const vec<T> r = logistic<T>(load(record) + sums[0]), z = logistic<T>(load(record + lanes<T>) + sums[1]);
    store(record, r);
    store(record + lanes<T>, z);
    return r * h;
  }
  static vec<T> forward(vec<T> sum, T* record, const Before<T>& before) {
    const vec<T> z = load(record + lanes<T>), n = tanh<T>(load(record + 2 * lanes<T>) + sum);
    store(record + 2 * lanes<T>, n);
    const vec<T> written = n * before.keep;
    return written + z * (before.h - written);
  }
  // The gradients of n, which is given, and z; carry: what goes straight to the state before.
  static vec<T> backward(const Place<T>& at, vec<T> dh, vec<T>& carry, T* to) {
    const vec<T> z = load(at.record + lanes<T>), n = load(at.record + 2 * lanes<T>);
    vec<T> dn = dh * (T(1) - z) * (T(1) - n * n);
    dn *= at.before.keep;
    const vec<T> written = n * at.before.keep;
    store(to + lanes<T>, dh * (at.before.h - written) * z * (T(1) - z));
    store(to + 2 * lanes<T>, dn);
    carry = dh * z;
    return dn;
  }
  // From the gradient of r h.
  static vec<T> unreset(const T* record, vec<T> h, vec<T> d, T* to) {
    const vec<T> r = load(record);
    store(to, d * h * r * (T(1) - r));
    return d * r;
  }
  static void add(vec<T>* sum, const T* d, const Place<T>&) {
    for (int g = 0; g < 3; ++g) sum[g] += load(d + g * lanes<T>);
  }
};

// Record: the products of the input and of the state as they are. Parameters: biases, gains of either, gain and bias of c.
// Gradients: i, f, g, o; of the state's product (until then i, f, g themselves); of LN(c), c normalised, the output.
template <class N_> struct NormLstm {
  using Number = N_;
  using T = Number;
  using Input = Part<T, 4, 1>;
  using Hidden = Input;
  static constexpr int L = lanes<T>, S = 8, A = 14, D = 11, hidden_at = 4, groups = 1, N = 6, out_at = 10;
  static constexpr bool has_c = true, sees_h = false, twice = false, own = false;
  static constexpr int input_gates[4] = {0, 1, 2, 3}, hidden_gates[4] = {0, 1, 2, 3};
  static constexpr Group input_groups[1] = {{0, 4}}, hidden_groups[1] = {{0, 4}};
  static constexpr int before_norm[4] = {0, 1, 2, 3}, input_gain = 4, hidden_gain = 8;

  template <class P, class V> static Pair<P> parameter(V* ih, V* hh, V* const* more, int a, int64_t units) {
    if (a < 4) return biases<P>(ih, hh, a, units);
    V* from = more[a < 8 ? 0 : a < 12 ? 1 : a - 10];
    return {from == nullptr ? nullptr : static_cast<P*>(from) + (a < 12 ? a % 4 : 0) * units, nullptr};
  }
  static void gates(const T* record, const T* norm, const T* p, vec<T> (&to)[4]) {
    for (int g = 0; g < 4; ++g) {
      const vec<T> sum = normal<T>(record, g, norm) * load(p + (4 + g) * L) +
                         (normal<T>(record, 4 + g, norm + 2) * load(p + (8 + g) * L) + load(p + g * L));
      to[g] = g == 2 ? tanh<T>(sum) : logistic<T>(sum);
    }
  }
  // The cell state, and the output gate.
  static vec<T> forward(const Place<T>& at, vec<T>& c) {
    vec<T> gate[4];
    gates(at.record, at.norm, at.parameters, gate);
    c = gate[1] * at.before.c + gate[0] * (gate[2] * at.before.keep);
    return gate[3];
  }
  static vec<T> squashed(vec<T> c, const T* p) { return tanh<T>(load(p + 12 * L) * c + load(p + 13 * L)); }
  static vec<T> put_out(vec<T> o, vec<T> c, const T* norm, const T* p) {
    return o * squashed((c - norm[4]) * norm[5], p);
  }
  // As far as the normalisation of c, with the sums of its way back.
  static void backward(const Place<T>& at, vec<T> dout, T* to, T* slopes) {
    vec<T> gate[4];
    gates(at.record, at.norm, at.parameters, gate);
    vec<T> c = gate[1] * at.before.c + gate[0] * (gate[2] * at.before.keep);
    c = (c - at.norm[4]) * at.norm[5];
    const vec<T> o = gate[3], q = squashed(c, at.parameters);
    store(to + 3 * L, dout * q * o * (T(1) - o));
    for (int g = 0; g < 3; ++g) store(to + (4 + g) * L, gate[g]);
    const vec<T> d = dout * o * (T(1) - q * q), scaled = d * load(at.parameters + 12 * L);
    store(to + 8 * L, d);
    store(to + 9 * L, c);
    store(to + 10 * L, o * q);
    store(slopes, scaled);
    store(slopes + L, scaled * c);
  }
  // carry: dc
  static void through_c(const Place<T>& at, const T* slope, vec<T>& carry, T* to) {
    const vec<T> i = load(to + 4 * L), f = load(to + 5 * L), g = load(to + 6 * L);
    const vec<T> written = g * at.before.keep;
    const vec<T> dc = carry + (load(to + 8 * L) * load(at.parameters + 12 * L) - slope[0] -
                               load(to + 9 * L) * slope[1]) * at.norm[5];
    const vec<T> dg = dc * i * (T(1) - g * g);
    store(to, dc * written * i * (T(1) - i));
    store(to + L, dc * at.before.c * f * (T(1) - f));
    store(to + 2 * L, dg * at.before.keep);
    carry = dc * f;
  }
  static void add(vec<T>* sum, const T* d, const Place<T>& at) {
    for (int g = 0; g < 4; ++g) {
      const vec<T> dg = load(d + g * L);
      sum[g] += dg;
      sum[4 + g] += dg * normal<T>(at.record, g, at.norm);
      sum[8 + g] += dg * normal<T>(at.record, 4 + g, at.norm + 2);
    }
    sum[12] += load(d + 8 * L) * load(d + 9 * L);
    sum[13] += load(d + 8 * L);
  }
};

// Vectors of the input's side: n, r, z; of the state's: r, z, n. Groups: of the input, n and then r, z; of the state, r, z
// and then n. Parameters: biases n, r, z; that of the state's n; gains of the input's; gains of the state's.
// Gradients: n, r, z, that of the state's n before its normalisation; of the state's product.
template <class N_> struct NormGru {
  using Number = N_;
  using T = Number;
  using Inner = Gru<T>;
  using Input = Part<T, 3, 1>;
  using Hidden = Input;
  static constexpr int L = lanes<T>, S = 6, A = 10, D = 7, hidden_at = 4, groups = 2, N = 8, out_at = 0;
  static constexpr bool has_c = false, sees_h = true, twice = false, own = false;
  static constexpr int input_gates[3] = {2, 0, 1}, hidden_gates[3] = {0, 1, 2};
  static constexpr Group input_groups[2] = {{0, 1}, {1, 2}}, hidden_groups[2] = {{0, 2}, {2, 1}};
  static constexpr int before_norm[3] = {1, 2, 3}, input_gain = 4, hidden_gain = 7;

  template <class P, class V> static Pair<P> parameter(V* ih, V* hh, V* const* more, int a, int64_t units) {
    if (a == 0) return biases<P>(ih, static_cast<V*>(nullptr), 2, units);
    if (a < 3) return biases<P>(ih, hh, a - 1, units);
    if (a == 3) return biases<P>(static_cast<V*>(nullptr), hh, 2, units);
    return {static_cast<P*>(more[a < 7 ? 0 : 1]) + (a < 7 ? input_gates[a - 4] : a - 7) * units, nullptr};
  }
  static void forward(const Place<T>& at, vec<T>& h, vec<T> (&saved)[4]) {
    const T* p = at.parameters;
    const auto input = [&](int i) {
      return normal<T>(at.record, i, at.norm + (i == 0 ? 0 : 2)) * load(p + (4 + i) * L) + load(p + i * L);
    };
    const auto hidden = [&](int i) {
      return normal<T>(at.record, 3 + i, at.norm + (i == 2 ? 6 : 4)) * load(p + (7 + i) * L);
    };
    const vec<T> sum[3] = {input(1) + hidden(0), input(2) + hidden(1), hidden(2) + load(p + 3 * L)};
    T n[L];
    vec<T> none;
    store(n, input(0));
    Inner::template forward<true>(sum, n, nullptr, at.before, h, none, saved);
  }
  static void backward(const Place<T>& at, vec<T> dh, vec<T>& carry, T* to) {
    vec<T> h, saved[4], d[4];
    forward(at, h, saved);
    Inner::template backward<true>(saved, nullptr, at.before, dh, carry, d);
    for (int g = 0; g < 4; ++g) store(to + g * L, d[g]);
  }
  static void add(vec<T>* sum, const T* d, const Place<T>& at) {
    for (int g = 0; g < 4; ++g) sum[g] += load(d + g * L);
    for (int g = 0; g < 3; ++g) {
      sum[4 + g] += load(d + g * L) * normal<T>(at.record, g, at.norm + (g == 0 ? 0 : 2));
      sum[7 + g] += load(d + (1 + g) * L) * normal<T>(at.record, 3 + g, at.norm + (g == 2 ? 6 : 4));
    }
  }
};

}  // namespace ostinato::OSTINATO_ISA
