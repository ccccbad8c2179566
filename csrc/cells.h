// What each cell does with its gates, and the derivative of it, on vectors of units. The equations are those of
// src/ostinato/cells; the products with the weights are the same for all and stand elsewhere.
//
// G     gates: vectors a unit vector takes part in each product with
// S     vectors kept for backward; before the step the first G of them hold W_ih x + b
// D     gradient vectors: D of them before the activations, those of the input product from 0 on, those of the hidden
//       product from hidden_at on
// A     further parameters of each unit
// units unit vectors computed together
#pragma once

#include "vec_math.h"

namespace ostinato::OSTINATO_ISA {

template <class T, bool relu> struct Elman {
  using Number = T;
  static constexpr int G = 1, S = 1, D = 1, A = 0, hidden_at = 0, units = 4;
  static constexpr bool has_c = false;
  static constexpr int input_gates[G] = {0}, hidden_gates[G] = {0};
  static constexpr bool folds[G] = {true};  // whether the hidden bias of this input column is added to the input's

  static void begin(vec<T>* sum, const T* pre, const T*) { sum[0] = load(pre); }
  static void forward(const vec<T>* sum, const T*, const T*, vec<T>, vec<T>, vec<T>& h, vec<T>&, vec<T>* saved) {
    if constexpr (relu) {
      h = sum[0] < T(0) ? vec<T>{} : sum[0];
    } else {
      h = tanh<T>(sum[0]);
    }
    saved[0] = h;
  }
  static void backward(const vec<T>* saved, const T*, vec<T>, vec<T>, vec<T> dh, vec<T>&, vec<T>* d) {
    if constexpr (relu) {
      d[0] = saved[0] > T(0) ? dh : vec<T>{};
    } else {
      d[0] = dh * (T(1) - saved[0] * saved[0]);
    }
  }
};

template <class T> struct Lstm {
  using Number = T;
  static constexpr int G = 4, S = 4, D = 4, A = 0, hidden_at = 0, units = 1;
  static constexpr bool has_c = true;
  static constexpr int input_gates[G] = {0, 1, 2, 3}, hidden_gates[G] = {0, 1, 2, 3};
  static constexpr bool folds[G] = {true, true, true, true};

  static void begin(vec<T>* sum, const T* pre, const T*) {
    for (int g = 0; g < G; ++g) sum[g] = load(pre + g * lanes<T>);
  }
  static void forward(const vec<T>* sum, const T*, const T*, vec<T>, vec<T> c_before, vec<T>& h, vec<T>& c,
                      vec<T>* saved) {
    vec<T> i = logistic<T>(sum[0]), f = logistic<T>(sum[1]), g = tanh<T>(sum[2]), o = logistic<T>(sum[3]);
    c = f * c_before + i * g;
    h = o * tanh<T>(c);
    saved[0] = i, saved[1] = f, saved[2] = g, saved[3] = o;
  }
  // carry: dc
  static void backward(const vec<T>* saved, const T*, vec<T>, vec<T> c_before, vec<T> dh, vec<T>& carry, vec<T>* d) {
    vec<T> i = saved[0], f = saved[1], g = saved[2], o = saved[3];
    vec<T> squashed = tanh<T>(f * c_before + i * g);
    vec<T> dc = carry + dh * o * (T(1) - squashed * squashed);
    d[0] = dc * g * i * (T(1) - i);
    d[1] = dc * c_before * f * (T(1) - f);
    d[2] = dc * i * (T(1) - g * g);
    d[3] = dh * squashed * o * (T(1) - o);
    carry = dc * f;
  }
};

// Columns of the input product: n, r, z; of the hidden one: r, z, n. So each side is a run of the vectors n, r, z, W_hn h.
template <class T> struct Gru {
  using Number = T;
  static constexpr int G = 3, S = 4, D = 4, A = 1, hidden_at = 1, units = 1;
  static constexpr bool has_c = false;
  static constexpr int input_gates[G] = {2, 0, 1}, hidden_gates[G] = {0, 1, 2};
  static constexpr bool folds[G] = {false, true, true};

  static void begin(vec<T>* sum, const T* pre, const T* more) {
    sum[0] = load(pre + lanes<T>), sum[1] = load(pre + 2 * lanes<T>), sum[2] = load(more);
  }
  static void forward(const vec<T>* sum, const T* pre, const T*, vec<T> h_before, vec<T>, vec<T>& h, vec<T>&,
                      vec<T>* saved) {
    vec<T> r = logistic<T>(sum[0]), z = logistic<T>(sum[1]), n = tanh<T>(load(pre) + r * sum[2]);
    h = n + z * (h_before - n);
    saved[0] = n, saved[1] = r, saved[2] = z, saved[3] = sum[2];
  }
  // carry: the part of dh that goes straight to the state before
  static void backward(const vec<T>* saved, const T*, vec<T> h_before, vec<T>, vec<T> dh, vec<T>& carry, vec<T>* d) {
    vec<T> n = saved[0], r = saved[1], z = saved[2], product = saved[3];
    dh += carry;
    vec<T> dn = dh * (T(1) - z) * (T(1) - n * n);
    d[0] = dn;
    d[1] = dn * product * r * (T(1) - r);
    d[2] = dh * (h_before - n) * z * (T(1) - z);
    d[3] = dn * r;
    carry = dh * z;
  }
};

}  // namespace ostinato::OSTINATO_ISA
