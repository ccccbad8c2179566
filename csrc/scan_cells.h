// One step of each cell whose recurrence is element by element, and its derivative, on vectors of units. The equations
// are those of src/ostinato/cells; the order of the gates is theirs too.
//
// G       gates: vectors a unit vector takes from `pre`
// S       vectors of state
// A       parameters of each unit
// skips   whether the input itself takes part
// apart   whether the output is not the state
#pragma once

#include "vec_math.h"

namespace ostinato::OSTINATO_ISA {

template <class T> inline vec<T> root(vec<T> x) {
#if defined(__AVX512F__)
  // Masked only because GCC 12 warns of what the plain form leaves undefined.
  if constexpr (sizeof(T) == 4) {
    return (vec<T>)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
  } else {
    return (vec<T>)_mm512_maskz_sqrt_pd(0xff, (__m512d)x);
  }
#else
  for (int i = 0; i < lanes<T>; ++i) x[i] = sizeof(T) == 4 ? __builtin_sqrtf(x[i]) : __builtin_sqrt(x[i]);
  return x;
#endif
}

// (1 - share) a + share b. Not a + share (b - a), in which a number of usual size beside a huge one is lost even where
// the share of the huge one is 0.
template <class T> inline vec<T> between(vec<T> a, vec<T> b, vec<T> share) { return (T(1) - share) * a + share * b; }

template <class T> struct MinGru {
  using Number = T;
  static constexpr int G = 2, S = 1, A = 0;
  static constexpr bool skips = false, apart = false;

  static void gates(const vec<T>* pre, vec<T>& z, vec<T>& n) {
    z = logistic<T>(pre[0]);
    n = pre[1] < T(0) ? logistic<T>(pre[1]) : pre[1] + T(0.5);
  }
  static void forward(const vec<T>* pre, const vec<T>*, vec<T>, vec<T>* h, vec<T>&) {
    vec<T> z, n;
    gates(pre, z, n);
    h[0] = between<T>(h[0], n, z);
  }
  static void backward(const vec<T>* pre, const vec<T>*, vec<T>, const vec<T>* before, vec<T>, vec<T>* dh, vec<T>* d,
                       vec<T>&, vec<T>*) {
    vec<T> z, n;
    gates(pre, z, n);
    d[0] = dh[0] * (n - before[0]) * z * (T(1) - z);
    vec<T> dn = dh[0] * z;
    d[1] = pre[1] < T(0) ? dn * n * (T(1) - n) : dn;
    dh[0] -= dn;
  }
};

// With a = exp(-i), b = exp(-f), the normalised gates are i = (1 + b) / (2 + a + b) and f = (1 + a) / (2 + a + b). Where
// that would overflow, both are divided by one number, beside which the 1 is nothing anyway: what is left of them are the
// distances to the lower gate, infinite ones included.
template <class T> struct MinLstm {
  using Number = T;
  static constexpr int G = 3, S = 1, A = 0;
  static constexpr bool skips = false, apart = false;
  static constexpr T most = sizeof(T) == 4 ? T(86) : T(707), lowest = sizeof(T) == 4 ? T(-__FLT_MAX__) : T(-__DBL_MAX__);

  struct Gates {
    vec<T> a, b, part, n;
    explicit Gates(const vec<T>* pre) {
      const vec<T> i = at_least<T>(pre[0], lowest), f = at_least<T>(pre[1], lowest), low = i < f ? i : f;
      a = power(low < -most ? most - (i - low) : -i), b = power(low < -most ? most - (f - low) : -f);
      part = T(1) / (T(2) + (a + b));
      n = pre[2] < T(0) ? logistic<T>(pre[2]) : pre[2] + T(0.5);
    }
    static vec<T> power(vec<T> x) {
      vec<T> shifted, rest = reduced_expm1<T, 1>(at_least<T>(x, -most), shifted), whole = power_of_two<T>(shifted);
      return whole * rest + whole;
    }
  };
  static void forward(const vec<T>* pre, const vec<T>*, vec<T>, vec<T>* h, vec<T>&) {
    const Gates g(pre);
    h[0] = between<T>(h[0], g.n, (T(1) + g.b) * g.part);
  }
  static void backward(const vec<T>* pre, const vec<T>*, vec<T>, const vec<T>* before, vec<T>, vec<T>* dh, vec<T>* d,
                       vec<T>&, vec<T>*) {
    const Gates g(pre);
    const vec<T> i = (T(1) + g.b) * g.part, f = (T(1) + g.a) * g.part, slope = dh[0] * (g.n - before[0]);
    d[0] = slope * i * (g.a * g.part);
    d[1] = -slope * f * (g.b * g.part);
    const vec<T> dn = dh[0] * i;
    d[2] = pre[2] < T(0) ? dn * g.n * (T(1) - g.n) : dn;
    dh[0] *= f;
  }
};

template <class T> struct Qrnn {
  using Number = T;
  static constexpr int G = 3, S = 1, A = 0;
  static constexpr bool skips = false, apart = true;

  static void forward(const vec<T>* pre, const vec<T>*, vec<T>, vec<T>* c, vec<T>& y) {
    vec<T> z = tanh<T>(pre[0]), f = logistic<T>(pre[1]), o = logistic<T>(pre[2]);
    c[0] = between<T>(z, c[0], f);
    y = o * c[0];
  }
  static void backward(const vec<T>* pre, const vec<T>*, vec<T>, const vec<T>* before, vec<T> dy, vec<T>* dc, vec<T>* d,
                       vec<T>&, vec<T>*) {
    vec<T> z = tanh<T>(pre[0]), f = logistic<T>(pre[1]), o = logistic<T>(pre[2]);
    vec<T> c = between<T>(z, before[0], f);
    vec<T> slope = dc[0] + dy * o;
    d[0] = slope * (T(1) - f) * (T(1) - z * z);
    d[1] = slope * (before[0] - z) * f * (T(1) - f);
    d[2] = dy * c * o * (T(1) - o);
    dc[0] = slope * f;
  }
};

// The gates see the state element by element: vectors v_f, v_r. `projected`: the skip is a fourth gate, else the input.
template <class T, bool projected> struct Sru {
  using Number = T;
  static constexpr int G = projected ? 4 : 3, S = 1, A = 2;
  static constexpr bool skips = !projected, apart = true;
  static constexpr T alpha = T(1.7320508075688772935);  // sqrt(3)

  static void forward(const vec<T>* pre, const vec<T>* v, vec<T> skip, vec<T>* c, vec<T>& y) {
    vec<T> x = alpha * (projected ? pre[G - 1] : skip);
    vec<T> f = logistic<T>(pre[0] + v[0] * c[0]), r = logistic<T>(pre[1] + v[1] * c[0]);
    c[0] = between<T>(pre[2], c[0], f);
    y = between<T>(x, c[0], r);
  }
  static void backward(const vec<T>* pre, const vec<T>* v, vec<T> skip, const vec<T>* before, vec<T> dy, vec<T>* dc,
                       vec<T>* d, vec<T>& dskip, vec<T>* dv) {
    vec<T> x = alpha * (projected ? pre[G - 1] : skip);
    vec<T> f = logistic<T>(pre[0] + v[0] * before[0]), r = logistic<T>(pre[1] + v[1] * before[0]);
    vec<T> c = between<T>(pre[2], before[0], f);
    vec<T> slope = dc[0] + dy * r;
    d[0] = slope * (before[0] - pre[2]) * f * (T(1) - f);
    d[1] = dy * (c - x) * r * (T(1) - r);
    d[2] = slope * (T(1) - f);
    vec<T> dx = dy * (T(1) - r) * alpha;
    if constexpr (projected) {
      d[G - 1] = dx;
    } else {
      dskip = dx;
    }
    dv[0] += d[0] * before[0];
    dv[1] += d[1] * before[0];
    dc[0] = slope * f + d[0] * v[0] + d[1] * v[1];
  }
};

// vectors: the logarithm of the decay at r = 1.
template <class T> struct RgLru {
  using Number = T;
  static constexpr int G = 2, S = 1, A = 1;
  static constexpr bool skips = true, apart = false;

  struct Gates {
    vec<T> r, i, decay, scale;
    Gates(const vec<T>* pre, const vec<T>* v) : r(logistic<T>(pre[0])), i(logistic<T>(pre[1])) {
      vec<T> shifted, part = reduced_expm1<T, 1>(at_least<T>(v[0] * r, T(-40)), shifted);
      const vec<T> power = power_of_two<T>(shifted), e = power * part + (power - T(1));  // decay - 1, at most 0
      decay = T(1) + e;
      scale = root<T>(-e * (T(2) + e));  // sqrt(1 - decay^2)
    }
  };
  static void forward(const vec<T>* pre, const vec<T>* v, vec<T> skip, vec<T>* h, vec<T>&) {
    Gates g(pre, v);
    h[0] = g.decay * h[0] + g.scale * (g.i * skip);
  }
  static void backward(const vec<T>* pre, const vec<T>* v, vec<T> skip, const vec<T>* before, vec<T>, vec<T>* dh,
                       vec<T>* d, vec<T>& dskip, vec<T>* dv) {
    Gates g(pre, v);
    vec<T> dscale = dh[0] * (g.i * skip), input = dh[0] * g.scale;
    // Where the decay has come to 1 the scale is 0, and its slope, which is infinite, is taken as 0.
    vec<T> slope = g.scale > T(0) ? dscale * g.decay / g.scale : vec<T>{};
    vec<T> dlog = (dh[0] * before[0] - slope) * g.decay;
    d[0] = dlog * v[0] * g.r * (T(1) - g.r);
    d[1] = input * skip * g.i * (T(1) - g.i);
    dskip = input * g.i;
    dv[0] += dlog * g.r;
    dh[0] *= g.decay;
  }
};

// State and gates: real, then imaginary parts. vectors: real and imaginary part of the eigenvalue, scale of the input.
template <class T> struct Lru {
  using Number = T;
  static constexpr int G = 2, S = 2, A = 3;
  static constexpr bool skips = false, apart = false;

  static void forward(const vec<T>* pre, const vec<T>* v, vec<T>, vec<T>* s, vec<T>&) {
    vec<T> real = v[0] * s[0] - v[1] * s[1] + v[2] * pre[0];
    s[1] = v[0] * s[1] + v[1] * s[0] + v[2] * pre[1];
    s[0] = real;
  }
  static void backward(const vec<T>*pre, const vec<T>* v, vec<T>, const vec<T>* before, vec<T>, vec<T>* ds, vec<T>* d,
                       vec<T>&, vec<T>* dv) {
    d[0] = v[2] * ds[0];
    d[1] = v[2] * ds[1];
    dv[0] += ds[0] * before[0] + ds[1] * before[1];
    dv[1] += ds[1] * before[0] - ds[0] * before[1];
    dv[2] += ds[0] * pre[0] + ds[1] * pre[1];
    vec<T> real = v[0] * ds[0] + v[1] * ds[1];
    ds[1] = v[0] * ds[1] - v[1] * ds[0];
    ds[0] = real;
  }
};

}  // namespace ostinato::OSTINATO_ISA
