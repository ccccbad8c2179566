// Streams of every instruction set of this machine, whatever their weights are stored in, step by step against the equations
// in double precision. `stream quick` takes a part of it.
#include "../stream.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../isa.h"
#include "buffer.h"
#include "check.h"

using namespace ostinato;
using namespace ostinato::tests;

namespace {

using Numbers = std::vector<double>;
constexpr const char* cells[] = {"elman_tanh", "elman_relu", "lstm", "gru"};
constexpr const char* stores[] = {"float32", "float64", "bfloat16", "int8"};
constexpr int64_t gates[] = {1, 1, 4, 3};

// One step, its inputs given to the bit: the rounding of a product and of the gates.
template <class T> constexpr double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;

size_t size(int64_t n) { return static_cast<size_t>(n); }

// A weight as bfloat16 holds it: to nearest, ties to even.
float in_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

// A row in whole numbers from -127 to 127 times a scale. Weights are divided by it; inputs, which come at every step, are
// multiplied by what is its inverse but for rounding.
template <class T> void in_int8(T* row, int64_t count, bool weights) {
  T largest = 0;
  for (int64_t k = 0; k < count; ++k) largest = std::max(largest, std::abs(row[k]));
  const T scale = largest / T(127), inverse = largest > 0 ? T(127) / largest : 0;
  for (int64_t k = 0; k < count; ++k) row[k] = scale > 0 ? std::nearbyint(weights ? row[k] / scale : row[k] * inverse) : 0;
  for (int64_t k = 0; k < count; ++k) row[k] *= scale;
}

template <class T> struct Weight {
  std::vector<T> given, held;  // as they are, and as they are stored
  Weight() = default;
  Weight(std::mt19937& random, int64_t rows, int64_t columns, Stored stored) {
    std::uniform_real_distribution<float> even(-1, 1);
    for (int64_t i = 0; i < rows * columns; ++i)
      given.push_back(static_cast<T>(even(random) * 1.2f / std::sqrt(static_cast<float>(columns))));
    held = given;
    if (stored == Stored::bfloat16)
      for (T& value : held) value = static_cast<T>(in_bfloat16(static_cast<float>(value)));
    if (stored == Stored::int8)
      for (int64_t r = 0; r < rows; ++r) in_int8(&held[size(r * columns)], columns, true);
  }
};

struct Form {
  int cell, stored, layers, threads;
  int64_t inputs, units, slots, rows;  // rows: of as many streams a step, or where it is `slots` of all in turn
  bool bias, shared = false;  // shared: several threads take of the units, as soon as the stream knows how long a step takes
};

template <class T> class Test {
 public:
  Test(const Form& form, unsigned seed, const std::string& what)
      : f(form), what(what), random(seed), stored(static_cast<Stored>(f.stored)),
        stream(static_cast<Cell>(f.cell), stored, f.inputs, f.units, f.layers, f.threads, f.shared ? 0 : 1e9),
        h(f.layers * f.slots * f.units), c(f.cell == 2 ? f.layers * f.slots * f.units : 0), open(size(f.slots), 1) {
    const int64_t G = gates[f.cell];
    for (int l = 0; l < f.layers; ++l) {
      Layer& layer = layers.emplace_back();
      layer.inputs = l == 0 ? f.inputs : f.units;
      layer.ih = {random, G * f.units, layer.inputs, stored}, layer.hh = {random, G * f.units, f.units, stored};
      if (f.bias) layer.bias_ih = {random, G * f.units, 1, Stored::float64}, layer.bias_hh = {random, G * f.units, 1, Stored::float64};
      const auto at = [](const std::vector<T>& of) { return of.empty() ? nullptr : of.data(); };
      Weights weights;
      weights.ih = at(layer.ih.given), weights.hh = at(layer.hh.given);
      weights.bias_ih = at(layer.bias_ih.given), weights.bias_hh = at(layer.bias_hh.given);
      stream.pack(l, weights);
    }
    std::uniform_real_distribution<float> even(-1, 1);
    for (Buffer<T>* buffer : {&h, &c})
      for (int64_t i = 0; i < buffer->size(); ++i) (*buffer)[i] = static_cast<T>(even(random));
    stream.bind(h.data(), c.data(), open.data(), f.slots);
  }

  void steps(int count) {
    for (int s = 0; s < count; ++s) {
      std::vector<int64_t> order(size(f.slots));
      for (int64_t i = 0; i < f.slots; ++i) order[size(i)] = i;
      const bool all = f.rows == f.slots && s % 2 == 0;
      if (!all) std::shuffle(order.begin(), order.end(), random);
      order.resize(size(f.rows));
      step(order, all);
    }
  }

  void misplaced() {
    std::vector<int64_t> order(size(f.slots));
    for (int64_t i = 0; i < f.slots; ++i) order[size(i)] = f.slots - 1 - i;
    check(stream.misplaced(order.data(), f.slots) == -1, "every stream once", what.c_str());
    order.back() = f.slots;
    check(stream.misplaced(order.data(), f.slots) == f.slots - 1, "a stream that is none", what.c_str());
    order.back() = -1;
    check(stream.misplaced(order.data(), f.slots) == f.slots - 1, "a stream before the first", what.c_str());
    if (f.slots < 2) return;
    order.back() = order[0];
    check(stream.misplaced(order.data(), f.slots) == f.slots - 1, "a stream twice", what.c_str());
    open[0] = 0, order.back() = 0;
    check(stream.misplaced(order.data(), f.slots) == f.slots - 1, "a closed stream", what.c_str());
    open[0] = 1;
  }

 private:
  struct Layer {
    int64_t inputs;
    Weight<T> ih, hh, bias_ih, bias_hh;
  };

  void step(const std::vector<int64_t>& order, bool all) {
    std::uniform_real_distribution<float> even(-1, 1);
    Buffer<T> x(f.rows * f.inputs), y(f.rows * f.units);
    for (int64_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(even(random));
    for (int64_t k = 0; order[0] % 3 == 0 && k < f.inputs; ++k) x[k] = 0;  // a row whose greatest number is 0
    const std::vector<T> h_before(h.data(), h.data() + h.size()), c_before(c.data(), c.data() + c.size());
    stream.step(x.data(), all ? nullptr : order.data(), f.rows, y.data());
    double worst = 0;
    const auto compare = [&worst](T found, double right) {
      const double error = std::abs(static_cast<double>(found) - right) / std::max(1.0, std::abs(right));
      if (!(error <= worst)) worst = error;
    };
    const int64_t states = f.slots * f.units;
    std::vector<uint8_t> moved(size(f.slots), 0);
    for (int64_t i = 0; i < f.rows; ++i) {
      const int64_t slot = order[size(i)];
      moved[size(slot)] = 1;
      for (int l = 0; l < f.layers; ++l) {
        const int64_t at = l * states + slot * f.units;
        // Every layer from what the kernel itself gave the one before, so that rounding does not grow.
        const T* input = l == 0 ? x.data() + i * f.inputs : h.data() + (l - 1) * states + slot * f.units;
        Numbers after_h, after_c;
        equation(layers[size(l)], input, &h_before[size(at)], f.cell == 2 ? &c_before[size(at)] : nullptr, after_h, after_c);
        for (int64_t u = 0; u < f.units; ++u) {
          compare(h[at + u], after_h[size(u)]);
          if (f.cell == 2) compare(c[at + u], after_c[size(u)]);
          if (l + 1 == f.layers && y[i * f.units + u] != h[at + u]) worst = 1;
        }
      }
    }
    char detail[200];
    std::snprintf(detail, sizeof detail, "%s: off by %.3g", what.c_str(), worst);
    check(worst <= tolerance<T>, "value", detail);
    bool still = true;
    for (int64_t i = 0; i < h.size(); ++i)
      if (moved[size(i % states / f.units)] == 0) {
        still = still && h[i] == h_before[size(i)] && (f.cell != 2 || c[i] == c_before[size(i)]);
      }
    check(still, "the states of other streams stay", what.c_str());
    check(x.guards_hold() && y.guards_hold() && h.guards_hold() && c.guards_hold(), "guard zones", what.c_str());
  }

  // W and the row it is multiplied with, as both are stored; the sums in double.
  Numbers product(const Weight<T>& w, const T* row, int64_t depth) const {
    std::vector<T> read(row, row + depth);
    if (stored == Stored::int8) in_int8(read.data(), depth, false);
    Numbers sums(w.held.size() / size(depth));
    for (size_t r = 0; r < sums.size(); ++r)
      for (size_t k = 0; k < size(depth); ++k)
        sums[r] += static_cast<double>(w.held[r * size(depth) + k]) * static_cast<double>(read[k]);
    return sums;
  }

  void equation(const Layer& layer, const T* x, const T* before, const T* c_before, Numbers& after_h, Numbers& after_c) const {
    const Numbers from_x = product(layer.ih, x, layer.inputs), from_h = product(layer.hh, before, f.units);
    const auto logistic = [](double a) { return 1 / (1 + std::exp(-a)); };
    for (int64_t u = 0; u < f.units; ++u) {
      const auto bias = [&](const Weight<T>& of, int64_t g) { return of.given.empty() ? 0 : static_cast<double>(of.given[size(g * f.units + u)]); };
      const auto read = [&](int64_t g) { return from_x[size(g * f.units + u)] + bias(layer.bias_ih, g); };
      const auto held = [&](int64_t g) { return from_h[size(g * f.units + u)] + bias(layer.bias_hh, g); };
      const auto sum = [&](int64_t g) { return read(g) + held(g); };
      if (f.cell < 2) {
        after_h.push_back(f.cell == 0 ? std::tanh(sum(0)) : std::max(0.0, sum(0)));
      } else if (f.cell == 2) {
        after_c.push_back(logistic(sum(1)) * static_cast<double>(c_before[u]) + logistic(sum(0)) * std::tanh(sum(2)));
        after_h.push_back(logistic(sum(3)) * std::tanh(after_c.back()));
      } else {
        const double z = logistic(sum(1)), n = std::tanh(read(2) + logistic(sum(0)) * held(2));
        after_h.push_back(n + z * (static_cast<double>(before[u]) - n));
      }
    }
  }

  const Form f;
  const std::string what;
  std::mt19937 random;
  const Stored stored;
  Stream stream;
  std::vector<Layer> layers;
  Buffer<T> h, c;
  std::vector<uint8_t> open;
};

void one(const Form& form, unsigned seed) {
  size_t count;
  const Isa* const* list = available_isas(count);
  for (size_t i = 0; i < count; ++i) {
    choose_isa(list[i]->name);
    const std::string what = std::string(cells[form.cell]) + " " + stores[form.stored] + " I " + std::to_string(form.inputs) +
                             " H " + std::to_string(form.units) + " rows " + std::to_string(form.rows) + " of " +
                             std::to_string(form.slots) + " layers " + std::to_string(form.layers) + " threads " +
                             std::to_string(form.threads) + (form.shared ? " shared " : " ") + list[i]->name;
    const auto test = [&](auto number) {
      Test<decltype(number)> of(form, seed, what);
      of.misplaced();
      of.steps(form.shared ? 24 : 3);
    };
    form.stored == static_cast<int>(Stored::float64) ? test(double{}) : test(float{});
  }
}

}  // namespace

int main(int count, char** values) {
  const bool quick = argument(count, values, "quick");
  const std::vector<int64_t> sizes = {1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 130};
  unsigned seed = 0;
  for (int cell = 0; cell < 4; ++cell)
    for (int stored = 0; stored < static_cast<int>(Stored::count); ++stored) {
      for (size_t i = 0; i < sizes.size(); ++i)
        for (size_t h = 0; h < sizes.size(); ++h) {
          if (quick && (i * 5 + h * 7) % 12 != static_cast<size_t>(3 * cell + stored) % 12) continue;
          ++seed;
          const int64_t slots = 1 + seed % 9;
          one({cell, stored, 1 + static_cast<int>(seed % 2), 1, sizes[i], sizes[h], slots, 1 + seed / 3 % slots, seed % 5 != 0},
              seed);
        }
      one({cell, stored, 2, 3, 60, 150, 210, quick ? 200 : 209, true}, ++seed);  // enough for three threads
      one({cell, stored, 1, 3, 130, 130, 700, 700, true}, ++seed);
      one({cell, stored, 2, 3, 33, 130, 9, 7, true, true}, ++seed);
      one({cell, stored, 1, 2, 130, 65, 1, 1, true, true}, ++seed);
    }
  return finish("stream");
}
