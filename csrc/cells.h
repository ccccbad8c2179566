// What each cell does with its gates, and the derivative of it, on vectors of units. The equations are those of
// src/ostinato/cells; the products with the weights are the same for all and stand elsewhere.
//
// G      gates: vectors a unit vector takes part in each product with
// S      vectors kept for backward; before the step the first G of them hold W_ih x + b
// D      gradient vectors: D of them before the activations, those of the input product from 0 on, those of the hidden
//        product from hidden_at on
// A      further parameters of each unit; `own` says that they are weights of their own, and not a bias
// units  unit vectors computed together
// dense  whether the state is multiplied with a matrix
// plain  whether its step is written out for every tile, for speed
#pragma once

#include "noise.h"
#include "vec_math.h"

namespace ostinato::OSTINATO_ISA {

// What a step knows of the state before it; `keep` scales the candidate (recurrent dropout).
template <class T> struct Before {
  vec<T> h, c, keep;
};

template <class T, bool relu> struct Activation {
  static vec<T> value(vec<T> x) {
    if constexpr (relu) return x < T(0) ? vec<T>{} : x;
    else return tanh<T>(x);
  }
  // dL/dx from dL/dy and y
  static vec<T> slope(vec<T> y, vec<T> dy) {
    if constexpr (relu) return y <= T(0) ? vec<T>{} : dy;  // where y is NaN too, as torch.relu
    else return dy * (T(1) - y * y);
  }
};

template <class T, bool relu> struct Elman {
  using Number = T;
  static constexpr int G = 1, S = 1, D = 1, A = 0, hidden_at = 0, units = 4;
  static constexpr bool has_c = false, sees_h = false, dense = true, own = false, carries = false, plain = true;
  static constexpr int input_gates[G] = {0}, hidden_gates[G] = {0};
  static constexpr bool folds[G] = {true};  // whether the hidden bias of this input column is added to the input's

  static void begin(vec<T>* sum, const T* pre, const T*) { sum[0] = load(pre); }
  template <bool noisy>
  static void forward(const vec<T>* sum, const T*, const T*, const Before<T>&, vec<T>& h, vec<T>&, vec<T>* saved) {
    saved[0] = h = Activation<T, relu>::value(sum[0]);
  }
  template <bool noisy>
  static void backward(const vec<T>* saved, const T*, const Before<T>&, vec<T> dh, vec<T>&, vec<T>* d) {
    d[0] = Activation<T, relu>::slope(saved[0], dh);
  }
};

// Each unit remembers itself alone, through one weight.
template <class T, bool relu> struct Independent {
  using Number = T;
  static constexpr int G = 1, S = 1, D = 1, A = 1, hidden_at = 0, units = 4;
  static constexpr bool has_c = false, sees_h = true, dense = false, own = true, carries = true, plain = false;
  static constexpr int input_gates[G] = {0}, hidden_gates[G] = {0};
  static constexpr bool folds[G] = {false};

  static void begin(vec<T>* sum, const T* pre, const T*) { sum[0] = load(pre); }
  template <bool noisy>
  static void forward(const vec<T>* sum, const T*, const T* more, const Before<T>& before, vec<T>& h, vec<T>&,
                      vec<T>* saved) {
    saved[0] = h = Activation<T, relu>::value(sum[0] + load(more) * before.h);
  }
  template <bool noisy>
  static void backward(const vec<T>* saved, const T* more, const Before<T>&, vec<T> dh, vec<T>& carry, vec<T>* d) {
    d[0] = Activation<T, relu>::slope(saved[0], dh);
    carry = d[0] * load(more);
  }
  static void add(vec<T>* sum, const T* d, vec<T> h_before, vec<T>, vec<T>) { sum[0] += load(d) * h_before; }
};

// The plain LSTM, and the one whose gates see the cell state through a weight of each unit.
template <class T, bool peephole> struct Lstm {
  using Number = T;
  static constexpr int G = 4, S = 4, D = 4, A = peephole ? 3 : 0, hidden_at = 0, units = 1;
  static constexpr bool has_c = true, sees_h = false, dense = true, own = peephole, carries = true,
                        plain = !peephole;
  static constexpr int input_gates[G] = {0, 1, 2, 3}, hidden_gates[G] = {0, 1, 2, 3};
  static constexpr bool folds[G] = {true, true, true, true};

  static void begin(vec<T>* sum, const T* pre, const T*) {
    for (int g = 0; g < G; ++g) sum[g] = load(pre + g * lanes<T>);
  }
  template <bool noisy>
  static void forward(const vec<T>* sum, const T*, const T* more, const Before<T>& before, vec<T>& h, vec<T>& c,
                      vec<T>* saved) {
    vec<T> to_i = sum[0], to_f = sum[1], to_o = sum[3];
    if constexpr (peephole) to_i += load(more) * before.c, to_f += load(more + lanes<T>) * before.c;
    const vec<T> i = logistic<T>(to_i), f = logistic<T>(to_f), g = tanh<T>(sum[2]);
    c = f * before.c + i * (noisy ? g * before.keep : g);
    if constexpr (peephole) to_o += load(more + 2 * lanes<T>) * c;
    const vec<T> o = logistic<T>(to_o);
    h = o * tanh<T>(c);
    saved[0] = i, saved[1] = f, saved[2] = g, saved[3] = o;
  }
  // carry: dc
  template <bool noisy>
  static void backward(const vec<T>* saved, const T* more, const Before<T>& before, vec<T> dh, vec<T>& carry,
                       vec<T>* d) {
    const vec<T> i = saved[0], f = saved[1], g = saved[2], o = saved[3], written = noisy ? g * before.keep : g;
    const vec<T> squashed = tanh<T>(f * before.c + i * written);
    d[3] = dh * squashed * o * (T(1) - o);
    vec<T> dc = carry + dh * o * (T(1) - squashed * squashed);
    if constexpr (peephole) dc += d[3] * load(more + 2 * lanes<T>);
    const vec<T> dg = dc * i * (T(1) - g * g);
    d[0] = dc * written * i * (T(1) - i);
    d[1] = dc * before.c * f * (T(1) - f);
    d[2] = noisy ? dg * before.keep : dg;
    carry = dc * f;
    if constexpr (peephole) carry += d[0] * load(more) + d[1] * load(more + lanes<T>);
  }
  static void add(vec<T>* sum, const T* d, vec<T>, vec<T> c_before, vec<T> c) {
    sum[0] += load(d) * c_before;
    sum[1] += load(d + lanes<T>) * c_before;
    sum[2] += load(d + 3 * lanes<T>) * c;
  }
};

// The LSTM that forgets what it writes over.
template <class T> struct CoupledLstm {
  using Number = T;
  static constexpr int G = 3, S = 3, D = 3, A = 0, hidden_at = 0, units = 1;
  static constexpr bool has_c = true, sees_h = false, dense = true, own = false, carries = true, plain = false;
  static constexpr int input_gates[G] = {0, 1, 2}, hidden_gates[G] = {0, 1, 2};
  static constexpr bool folds[G] = {true, true, true};

  static void begin(vec<T>* sum, const T* pre, const T*) {
    for (int g = 0; g < G; ++g) sum[g] = load(pre + g * lanes<T>);
  }
  template <bool noisy>
  static void forward(const vec<T>* sum, const T*, const T*, const Before<T>& before, vec<T>& h, vec<T>& c,
                      vec<T>* saved) {
    const vec<T> i = logistic<T>(sum[0]), g = tanh<T>(sum[1]), o = logistic<T>(sum[2]);
    c = (T(1) - i) * before.c + i * (noisy ? g * before.keep : g);
    h = o * tanh<T>(c);
    saved[0] = i, saved[1] = g, saved[2] = o;
  }
  // carry: dc
  template <bool noisy>
  static void backward(const vec<T>* saved, const T*, const Before<T>& before, vec<T> dh, vec<T>& carry, vec<T>* d) {
    const vec<T> i = saved[0], g = saved[1], o = saved[2], written = noisy ? g * before.keep : g;
    const vec<T> squashed = tanh<T>((T(1) - i) * before.c + i * written);
    const vec<T> dc = carry + dh * o * (T(1) - squashed * squashed), dg = dc * i * (T(1) - g * g);
    d[0] = dc * (written - before.c) * i * (T(1) - i);
    d[1] = noisy ? dg * before.keep : dg;
    d[2] = dh * squashed * o * (T(1) - o);
    carry = dc * (T(1) - i);
  }
};

// Columns of the input product: n, r, z; of the hidden one: r, z, n. So each side is a run of the vectors n, r, z, W_hn h.
template <class T> struct Gru {
  using Number = T;
  static constexpr int G = 3, S = 4, D = 4, A = 1, hidden_at = 1, units = 1;
  static constexpr bool has_c = false, sees_h = true, dense = true, own = false, carries = true, plain = true;
  static constexpr int input_gates[G] = {2, 0, 1}, hidden_gates[G] = {0, 1, 2};
  static constexpr bool folds[G] = {false, true, true};

  static void begin(vec<T>* sum, const T* pre, const T* more) {
    sum[0] = load(pre + lanes<T>), sum[1] = load(pre + 2 * lanes<T>), sum[2] = load(more);
  }
  template <bool noisy>
  static void forward(const vec<T>* sum, const T* pre, const T*, const Before<T>& before, vec<T>& h, vec<T>&,
                      vec<T>* saved) {
    const vec<T> r = logistic<T>(sum[0]), z = logistic<T>(sum[1]), n = tanh<T>(load(pre) + r * sum[2]);
    const vec<T> written = noisy ? n * before.keep : n;
    h = written + z * (before.h - written);
    saved[0] = n, saved[1] = r, saved[2] = z, saved[3] = sum[2];
  }
  // carry: the part of dh that goes straight to the state before
  template <bool noisy>
  static void backward(const vec<T>* saved, const T*, const Before<T>& before, vec<T> dh, vec<T>& carry, vec<T>* d) {
    const vec<T> n = saved[0], r = saved[1], z = saved[2], product = saved[3], written = noisy ? n * before.keep : n;
    vec<T> dn = dh * (T(1) - z) * (T(1) - n * n);
    if constexpr (noisy) dn *= before.keep;
    d[0] = dn;
    d[1] = dn * product * r * (T(1) - r);
    d[2] = dh * (before.h - written) * z * (T(1) - z);
    d[3] = dn * r;
    carry = dh * z;
  }
};

}  // namespace ostinato::OSTINATO_ISA
