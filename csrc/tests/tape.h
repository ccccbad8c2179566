// Vectors in double precision that know where they came from: an equation is written once, and its gradients follow.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace ostinato::tests {

using Numbers = std::vector<double>;

class Tape {
 public:
  struct Node {
    Numbers value, slope;
  };
  // A vector on the tape; so are the results of the operators below.
  struct V {
    Tape* tape = nullptr;
    Node* at = nullptr;
    const Numbers& value() const { return at->value; }
    // Adds to the gradient that the vector begins the way back with.
    void seed(const double* slope) const {
      for (size_t i = 0; i < at->slope.size(); ++i) at->slope[i] += slope[i];
    }
  };

  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Numbers from outside, whose gradient is added to those at `to`, if there are any.
  V leaf(const double* from, int64_t count, double* to = nullptr) {
    const V made = make(Numbers(from, from + count));
    if (to != nullptr)
      ways.push_back([made, to] {
        for (size_t i = 0; i < made.at->slope.size(); ++i) to[i] += made.at->slope[i];
      });
    return made;
  }
  V constant(Numbers values) { return make(std::move(values)); }

  // Some rows of a matrix times x.
  V product(const double* w, double* dw, int64_t rows, V x) {
    const size_t depth = x.value().size();
    const V made = make(Numbers(static_cast<size_t>(rows), 0));
    for (size_t r = 0; r < made.value().size(); ++r)
      for (size_t k = 0; k < depth; ++k) made.at->value[r] += w[r * depth + k] * x.value()[k];
    ways.push_back([=] {
      for (size_t r = 0; r < made.value().size(); ++r)
        for (size_t k = 0; k < depth; ++k) {
          dw[r * depth + k] += made.at->slope[r] * x.value()[k];
          x.at->slope[k] += made.at->slope[r] * w[r * depth + k];
        }
    });
    return made;
  }

  // function(a) -> value and derivative, number by number.
  template <class F> static V map(V a, F function) {
    return zip(a, a, [function](double x, double) {
      const std::array<double, 2> found = function(x);
      return std::array<double, 3>{found[0], found[1], 0};
    });
  }
  // function(a, b) -> value and both derivatives, number by number.
  template <class F> static V zip(V a, V b, F function) {
    const V made = a.tape->make(Numbers(a.value().size()));
    for (size_t i = 0; i < made.value().size(); ++i) made.at->value[i] = function(a.value()[i], b.value()[i])[0];
    a.tape->ways.push_back([=] {
      for (size_t i = 0; i < made.value().size(); ++i) {
        const auto found = function(a.value()[i], b.value()[i]);
        a.at->slope[i] += made.at->slope[i] * found[1];
        b.at->slope[i] += made.at->slope[i] * found[2];
      }
    });
    return made;
  }
  // The mean of all numbers, in each place.
  static V mean(V a) {
    const size_t count = a.value().size();
    double sum = 0;
    for (double value : a.value()) sum += value;
    const V made = a.tape->make(Numbers(count, sum / static_cast<double>(count)));
    a.tape->ways.push_back([=] {
      double slope = 0;
      for (double value : made.at->slope) slope += value;
      for (double& value : a.at->slope) value += slope / static_cast<double>(count);
    });
    return made;
  }
  static V part(V a, int64_t first, int64_t count) {
    const auto begin = a.value().begin() + first;
    const V made = a.tape->make(Numbers(begin, begin + count));
    a.tape->ways.push_back([=] {
      for (int64_t i = 0; i < count; ++i)
        a.at->slope[static_cast<size_t>(first + i)] += made.at->slope[static_cast<size_t>(i)];
    });
    return made;
  }

  // The way back, from the seeds to the leaves.
  void back() {
    for (auto way = ways.rbegin(); way != ways.rend(); ++way) (*way)();
  }

 private:
  V make(Numbers values) {
    Numbers slope(values.size(), 0);
    nodes.push_back({std::move(values), std::move(slope)});
    return {this, &nodes.back()};
  }
  std::deque<Node> nodes;
  std::vector<std::function<void()>> ways;
};

using V = Tape::V;

inline V operator+(V a, V b) {
  return Tape::zip(a, b, [](double x, double y) { return std::array<double, 3>{x + y, 1, 1}; });
}
inline V operator-(V a, V b) {
  return Tape::zip(a, b, [](double x, double y) { return std::array<double, 3>{x - y, 1, -1}; });
}
inline V operator*(V a, V b) {
  return Tape::zip(a, b, [](double x, double y) { return std::array<double, 3>{x * y, y, x}; });
}
inline V operator/(V a, V b) {
  return Tape::zip(a, b, [](double x, double y) { return std::array<double, 3>{x / y, 1 / y, -x / (y * y)}; });
}
// slope * a + shift
inline V affine(V a, double slope, double shift) {
  return Tape::map(a, [=](double x) { return std::array<double, 2>{slope * x + shift, slope}; });
}
inline V logistic(V a) {
  return Tape::map(a, [](double x) {
    const double y = 1 / (1 + std::exp(-x));
    return std::array<double, 2>{y, y * (1 - y)};
  });
}
inline V tanh(V a) {
  return Tape::map(a, [](double x) {
    const double y = std::tanh(x);
    return std::array<double, 2>{y, 1 - y * y};
  });
}
inline V exp(V a) {
  return Tape::map(a, [](double x) { return std::array<double, 2>{std::exp(x), std::exp(x)}; });
}
inline V root(V a) {
  return Tape::map(a, [](double x) { return std::array<double, 2>{std::sqrt(x), 0.5 / std::sqrt(x)}; });
}
inline V normalised(V a) {
  const V centred = a - Tape::mean(a);
  return centred / root(affine(Tape::mean(centred * centred), 1, 1e-5));
}

}  // namespace ostinato::tests
