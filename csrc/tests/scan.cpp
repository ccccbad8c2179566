// Every scan kernel of every instruction set of this machine, forward and backward, against its equation in double
// precision: as layer.cpp does it. `scan quick` takes a part of it.
#include <iterator>
#include <memory>
#include <random>
#include <string>

#include "../isa.h"
#include "../team.h"
#include "buffer.h"
#include "check.h"
#include "reference.h"
#include "tape.h"

using namespace ostinato;
using namespace ostinato::tests;

namespace {

// Gates, numbers of state and parameters a unit; whether the input itself takes part; whether the output is not the state.
struct Kind {
  ScanCell cell;
  const char* name;
  int64_t G, S, A;
  bool skips, apart;
};
constexpr Kind kinds[] = {{ScanCell::min_gru, "min_gru", 2, 1, 0, false, false},
                          {ScanCell::min_lstm, "min_lstm", 3, 1, 0, false, false},
                          {ScanCell::qrnn, "qrnn", 3, 1, 0, false, true},
                          {ScanCell::sru, "sru", 3, 1, 2, true, true},
                          {ScanCell::sru_projected, "sru_projected", 4, 1, 2, false, true},
                          {ScanCell::rg_lru, "rg_lru", 2, 1, 1, true, false},
                          {ScanCell::lru, "lru", 2, 2, 3, false, false}};
static_assert(std::size(kinds) == static_cast<size_t>(ScanCell::count), "every cell has an equation");

// The rounding of some hundred steps, in units of the greatest of a tensor (at least 1).
template <class T> constexpr double tolerance = sizeof(T) == 4 ? 3e-5 : 1e-12;

size_t size(int64_t n) { return static_cast<size_t>(n); }

struct Problem {
  Kind kind;
  int64_t units;
  Ragged ragged;
  Numbers pre, skip, vectors, first, dy, dlast;
  int64_t outputs() const { return kind.apart ? units : kind.S * units; }
};

Problem problem(const Kind& kind, int64_t units, const std::vector<int64_t>& lengths, bool reverse, bool resets, unsigned seed) {
  Problem p{kind, units, Ragged(lengths), {}, {}, {}, {}, {}, {}};
  std::mt19937 random(seed);
  const auto fill = [&](Numbers& to, int64_t count, double scale) {
    std::uniform_real_distribution<float> even(-1, 1);
    to.resize(size(count));
    for (double& value : to) value = static_cast<double>(static_cast<float>(scale) * even(random));
  };
  p.ragged.reverse = reverse;
  if (resets)
    for (int64_t i = 0; i < p.ragged.total; ++i) p.ragged.reset.push_back(random() % 7 == 0);
  fill(p.pre, p.ragged.total * kind.G * units, 2);
  if (kind.skips) fill(p.skip, p.ragged.total * units, 1.5);
  fill(p.vectors, kind.A * units, 0.7);
  for (double& value : p.vectors)  // a decay
    if (kind.cell == ScanCell::rg_lru) value = -0.05 - std::abs(value);
  fill(p.first, p.ragged.slots() * kind.S * units, 1);
  fill(p.dy, p.ragged.total * p.outputs(), 1), fill(p.dlast, p.ragged.slots() * kind.S * units, 1);
  return p;
}

struct Answer {
  Numbers states, y, last, dpre, dskip, dvectors, dfirst;
};

// The state and the output after a step, `s` being (S H) numbers before it.
struct After {
  V state, output;
};

V candidate(V a) {  // a + 1/2 where a >= 0, else logistic
  return Tape::map(a, [](double x) {
    const double y = 1 / (1 + std::exp(-x));
    return x < 0 ? std::array<double, 2>{y, y * (1 - y)} : std::array<double, 2>{x + 0.5, 1};
  });
}

After step(const Problem& p, const std::vector<V>& g, const std::vector<V>& v, V skip, const std::vector<V>& s) {
  constexpr double alpha = 1.7320508075688772935;
  switch (p.kind.cell) {
    case ScanCell::min_gru: {
      const V h = s[0] + logistic(g[0]) * (candidate(g[1]) - s[0]);
      return {h, h};
    }
    case ScanCell::min_lstm: {
      const V i = logistic(g[0]), f = logistic(g[1]), h = (f * s[0] + i * candidate(g[2])) / (i + f);
      return {h, h};
    }
    case ScanCell::qrnn: {
      const V f = logistic(g[1]), c = f * s[0] + affine(f, -1, 1) * tanh(g[0]);
      return {c, logistic(g[2]) * c};
    }
    case ScanCell::sru:
    case ScanCell::sru_projected: {
      const V x = affine(p.kind.skips ? skip : g[3], alpha, 0), f = logistic(g[0] + v[0] * s[0]),
              r = logistic(g[1] + v[1] * s[0]), c = f * s[0] + affine(f, -1, 1) * g[2];
      return {c, r * c + affine(r, -1, 1) * x};
    }
    case ScanCell::rg_lru: {
      const V a = exp(v[0] * logistic(g[0])), h = a * s[0] + root(affine(a * a, -1, 1)) * (logistic(g[1]) * skip);
      return {h, h};
    }
    default: {  // lru: real, then imaginary parts
      return {v[0] * s[0] - v[1] * s[1] + v[2] * g[0], v[0] * s[1] + v[1] * s[0] + v[2] * g[1]};
    }
  }
}

Answer reference(const Problem& p) {
  const int64_t H = p.units, S = p.kind.S, G = p.kind.G;
  Answer a;
  a.states.resize(size(p.ragged.total * S * H)), a.y.resize(size(p.kind.apart ? p.ragged.total * H : 0));
  a.last = p.first, a.dpre.resize(p.pre.size()), a.dskip.resize(p.skip.size()), a.dvectors.resize(p.vectors.size());
  a.dfirst.resize(p.first.size());
  for (int64_t j = 0; j < p.ragged.slots(); ++j) {
    Tape tape;
    const auto leaves = [&](const Numbers& from, Numbers& to, int64_t row, int64_t count) {
      std::vector<V> found;
      for (int64_t i = 0; i < count; ++i) {
        const size_t at = size((row * count + i) * H);
        found.push_back(tape.leaf(&from[at], H, &to[at]));
      }
      return found;
    };
    const std::vector<V> v = leaves(p.vectors, a.dvectors, 0, p.kind.A), first = leaves(p.first, a.dfirst, j, S);
    std::vector<V> state = first;
    for (int64_t row : p.ragged.order(j)) {
      if (!p.ragged.reset.empty() && p.ragged.reset[size(row)] != 0) state = first;
      const V skip = p.kind.skips ? leaves(p.skip, a.dskip, row, 1)[0] : V{};
      const After after = step(p, leaves(p.pre, a.dpre, row, G), v, skip, state);
      state[0] = after.state;
      if (S == 2) state[1] = after.output;
      for (int64_t i = 0; i < S; ++i) {
        std::copy(state[size(i)].value().begin(), state[size(i)].value().end(), &a.states[size((row * S + i) * H)]);
        if (!p.kind.apart) state[size(i)].seed(&p.dy[size((row * S + i) * H)]);
      }
      if (!p.kind.apart) continue;
      std::copy(after.output.value().begin(), after.output.value().end(), &a.y[size(row * H)]);
      after.output.seed(&p.dy[size(row * H)]);
    }
    for (int64_t i = 0; i < S; ++i) {
      std::copy(state[size(i)].value().begin(), state[size(i)].value().end(), &a.last[size((j * S + i) * H)]);
      state[size(i)].seed(&p.dlast[size((j * S + i) * H)]);
    }
    tape.back();
  }
  return a;
}

template <class T> class Run {
 public:
  Run(const Problem& p, const ScanKernel& kernel, int members, bool aligned)
      : p(p), kernel(kernel), members(members), pre(of(p.pre, aligned)), skip(of(p.skip, aligned)),
        vectors(of(p.vectors, aligned)), first(of(p.first, aligned)), dy(of(p.dy, aligned)), dlast(of(p.dlast, aligned)),
        states(p.ragged.total * p.kind.S * p.units, aligned), y(p.kind.apart ? p.ragged.total * p.units : 0, aligned),
        last(first->size(), aligned), dpre(pre->size(), aligned), dskip(skip->size(), aligned),
        dvectors(members * vectors->size(), aligned), dfirst(first->size(), aligned) {}

  void forward(bool keep) {
    for (Buffer<T>* buffer : {&states, &y, &last}) buffer->poison();
    const Scan f{p.units,       p.ragged.rows(), pre->data(), skip->data(), vectors->data(),
                 first->data(), keep ? states.data() : nullptr, y.data(),    last.data()};
    const auto call = [&](const Member& member) { kernel.forward(f, member); };
    team(call);
  }
  void backward() {
    for (Buffer<T>* buffer : {&dpre, &dskip, &dfirst}) buffer->poison();
    for (int64_t i = 0; i < dvectors.size(); ++i) dvectors[i] = 0;
    const ScanBackward b{p.units,    p.ragged.rows(), pre->data(),   skip->data(), vectors->data(),  first->data(), states.data(),
                         dy->data(), dlast->data(),   dpre.data(), dskip.data(), dvectors.data(), dfirst.data()};
    Buffer<T> scratch((kernel.backward_scratch(b) + static_cast<int64_t>(sizeof(T)) - 1) / static_cast<int64_t>(sizeof(T)), true);
    const auto call = [&](const Member& member) { kernel.backward(b, member, reinterpret_cast<char*>(scratch.data())); };
    team(call);
    check(scratch.guards_hold(), "guard zones of scratch memory");
  }

  void compare_forward(const Answer& a, const std::string& what, bool keep) const {
    if (keep) compare(states, a.states, what + " states");
    compare(y, a.y, what + " y");
    compare(last, a.last, what + " last");
    check(guarded(), "guard zones", what.c_str());
  }
  void compare_backward(const Answer& a, const std::string& what) const {
    compare(dpre, a.dpre, what + " dpre");
    compare(dskip, a.dskip, what + " dskip");
    compare(dfirst, a.dfirst, what + " dfirst");
    Buffer<T> sum(vectors->size());
    for (int64_t i = 0; i < sum.size(); ++i) {
      sum[i] = 0;
      for (int m = 0; m < members; ++m) sum[i] += dvectors[m * sum.size() + i];
    }
    compare(sum, a.dvectors, what + " dvectors");
    check(guarded(), "guard zones", what.c_str());
  }

 private:
  using Memory = std::unique_ptr<Buffer<T>>;
  static Memory of(const Numbers& values, bool aligned) {
    Memory memory = std::make_unique<Buffer<T>>(static_cast<int64_t>(values.size()), aligned);
    memory->set(values);
    return memory;
  }
  template <class F> void team(const F& call) const {
    run_team(
        members, [](void* context, const Member& member) { (*static_cast<const F*>(context))(member); }, const_cast<F*>(&call));
  }
  bool guarded() const {
    for (const Memory* memory : {&pre, &skip, &vectors, &first, &dy, &dlast})
      if (!(*memory)->guards_hold()) return false;
    for (const Buffer<T>* buffer : {&states, &y, &last, &dpre, &dskip, &dvectors, &dfirst})
      if (!buffer->guards_hold()) return false;
    return true;
  }
  static void compare(const Buffer<T>& found, const Numbers& right, const std::string& what) {
    double scale = 1, worst = 0;
    for (double value : right) scale = std::max(scale, std::abs(value));
    for (int64_t i = 0; i < found.size(); ++i) {
      const double error = std::abs(static_cast<double>(found[i]) - right[size(i)]);
      if (!(error <= worst)) worst = error;
    }
    char detail[200];
    std::snprintf(detail, sizeof detail, "%s: off by %.3g of %.3g", what.c_str(), worst, scale);
    check(worst <= tolerance<T> * scale, "value", detail);
  }

  const Problem& p;
  const ScanKernel& kernel;
  const int members;
  Memory pre, skip, vectors, first, dy, dlast;
  Buffer<T> states, y, last, dpre, dskip, dvectors, dfirst;
};

template <class T> void all_runs(const Problem& p, const Answer& a, const Isa& isa, const std::string& name, bool aligned) {
  const ScanKernel& kernel = isa.scans[static_cast<int>(p.kind.cell)][sizeof(T) == 4 ? 0 : 1];
  for (int members = 1; members <= 3; ++members) {
    const std::string what = name + " " + isa.name + (sizeof(T) == 4 ? " float32 " : " float64 ") + std::to_string(members);
    Run<T> run(p, kernel, members, aligned);
    run.forward(false);
    run.compare_forward(a, what + " inference", false);
    run.forward(true);
    run.compare_forward(a, what, true);
    run.backward();
    run.compare_backward(a, what);
  }
}

void one(const Kind& kind, int64_t units, const std::vector<int64_t>& lengths, unsigned seed, bool aligned = false) {
  const bool reverse = seed % 2 == 1, resets = seed % 3 != 0;
  const Problem p = problem(kind, units, lengths, reverse, resets, seed);
  const Answer a = reference(p);
  const std::string name = std::string(kind.name) + " H " + std::to_string(units) + " B " + std::to_string(p.ragged.slots()) +
                           " N " + std::to_string(p.ragged.total) + (reverse ? " reverse" : "") + (resets ? " resets" : "");
  size_t count;
  const Isa* const* list = available_isas(count);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0 && list[i]->scans[0][0].forward == list[i - 1]->scans[0][0].forward) continue;
    all_runs<float>(p, a, *list[i], name, aligned);
    all_runs<double>(p, a, *list[i], name, aligned);
  }
}

}  // namespace

int main(int count, char** values) {
  const bool quick = argument(count, values, "quick");
  const std::vector<std::vector<int64_t>> lengths = {{9, 5, 2}, {8, 8, 7, 7, 5, 3, 3, 3, 2, 2, 1, 1, 1, 0, 0}, {1}, {40, 0}, {0}};
  for (const Kind& kind : kinds) {
    unsigned seed = 0;
    for (int64_t units : {1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 130})
      for (const auto& some : lengths) one(kind, units, some, ++seed);
    // States beyond a quarter of a mebibyte, so that slots are taken some at a time; results written past the caches.
    one(kind, quick ? 260 : 2100, std::vector<int64_t>(130, quick ? 1 : 3), ++seed);
    if (!quick) one(kind, 2048, {400, 390, 380, 300, 300, 290, 280, 1}, ++seed, true);
  }
  return finish("scan");
}
