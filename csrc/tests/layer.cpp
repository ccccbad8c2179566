// Every kernel of every instruction set of this machine, forward and backward, against the reference in double precision:
// partial vectors of inputs and units, unequal lengths, resets, both directions, one to three members; memory poisoned
// with NaN and guarded. `layer quick` takes a part of it.
#include <memory>
#include <random>
#include <string>

#include "../isa.h"
#include "../team.h"
#include "buffer.h"
#include "check.h"
#include "reference.h"

using namespace ostinato;
using namespace ostinato::tests;

namespace {

constexpr const char* cells[] = {"elman_tanh",    "elman_relu",   "lstm",             "gru",
                                 "lstm_peephole", "lstm_coupled", "independent_relu", "independent_tanh"};
// Those of several stages a step have their oracle in tests/engines/.
constexpr int tested = static_cast<int>(Cell::lstm_projected);
static_assert(sizeof cells / sizeof *cells == tested, "every cell of one stage has a reference");

// What a result may differ by, in units of the greatest of its tensor (at least 1): the rounding of sums over up to a few
// hundred terms and steps.
template <class T> constexpr double tolerance = sizeof(T) == 4 ? 3e-5 : 1e-12;

struct Form {
  std::vector<int64_t> lengths;
  bool reverse, resets, bias;
  bool all_gradients;  // or dy alone, and no dx
  enum { none, training, evaluation } noise = none;
};

Problem problem(Cell cell, int64_t inputs, int64_t units, const Form& form, unsigned seed) {
  Problem p{};
  p.cell = cell, p.inputs = inputs, p.units = units, p.ragged = Ragged(form.lengths), p.bias = form.bias;
  std::mt19937 random(seed);
  const auto fill = [&](Numbers& to, int64_t count, double scale) {
    std::uniform_real_distribution<float> even(-1, 1);
    to.resize(static_cast<size_t>(count));
    // Numbers that float32 holds, so that every format computes the same problem.
    for (double& value : to) value = static_cast<double>(static_cast<float>(scale) * even(random));
  };
  const int64_t rows = p.gates() * units, states = p.ragged.slots() * units;
  p.ragged.reverse = form.reverse;
  if (form.resets)
    for (int64_t i = 0; i < p.ragged.total; ++i) p.ragged.reset.push_back(random() % 7 == 0);
  fill(p.ih, rows * inputs, 1.5 / std::sqrt(static_cast<double>(inputs)));
  if (!p.independent()) fill(p.hh, rows * units, 1.5 / std::sqrt(static_cast<double>(units)));
  for (int i = 0; i < p.further(); ++i) fill(p.more[i], units, 0.7);
  if (form.bias) fill(p.bias_ih, rows, 0.5);
  if (form.bias && !p.independent()) fill(p.bias_hh, rows, 0.5);
  if (p.relu()) {
    // Far from 0, where the derivative jumps and rounding would decide; and no growth over the steps.
    for (double& w : p.hh) w *= 0.2;
    for (double& w : p.ih) w *= 0.2;
    for (double& w : p.more[0]) w *= 0.2;
    for (double& b : p.bias_ih) b = std::copysign(2.0, b);
  }
  if (form.noise != Form::none) {
    const bool drawn = form.noise == Form::training;  // outside training nothing is dropped, and zoneout takes shares
    p.noise = {true, drawn, random(), 2, form.reverse ? 1 : 0, nullptr, drawn ? 1u << 30 : 0, 1u << 29, 1u << 31,
               drawn ? 4.0 / 3 : 1, 0.125, 0.5};
    for (int64_t j = 0; j < p.ragged.slots(); ++j) p.sequences.push_back(p.ragged.slots() - 1 - j);
  }
  fill(p.x, p.ragged.total * inputs, 1), fill(p.h0, states, 0.9);
  fill(p.dy, p.ragged.total * units, 1);
  if (form.all_gradients) fill(p.dhn, states, 1);
  if (p.has_c()) {
    fill(p.c0, states, 1.5);
    if (form.all_gradients) fill(p.dcn, states, 1);
  }
  return p;
}

// One problem in the numbers and the memory of one kernel.
template <class T> class Run {
 public:
  Run(const Problem& p, const Kernel& kernel, int members, const Form& form)
      : p(p), kernel(kernel), members(members), stride(p.units + 3), ih(input(p.ih)), hh(input(p.hh)),
        bias_ih(input(p.bias_ih)), bias_hh(input(p.bias_hh)), more{input(p.more[0]), input(p.more[1]), input(p.more[2])}, x(input(p.x)), h0(input(p.h0)), c0(input(p.c0)),
        dy(rows_of(p.dy)), dhn(input(p.dhn)), dcn(input(p.dcn)),
        y(output(p.ragged.total * stride)), hn(output(states())), cn(output(p.has_c() ? states() : 0)),
        saved(output(kernel.saved_size(p.units, p.ragged.total))), c(output(p.has_c() ? p.ragged.total * p.units : 0)),
        dx(output(form.all_gradients ? p.ragged.total * p.inputs : 0)), dh0(output(states())),
        dc0(output(p.has_c() ? states() : 0)), dih(like(ih)), dhh(like(hh)), dbias_ih(like(bias_ih)),
        dbias_hh(like(bias_hh)), dmore{like(more[0]), like(more[1]), like(more[2])} {}

  void forward(bool keep) {
    Forward f;
    f.inputs = p.inputs, f.units = p.units, f.rows = p.ragged.rows(), f.weights = weights(), f.noise = noise();
    f.x = data(x), f.h0 = data(h0), f.c0 = data(c0);
    f.y = data(y), f.y_stride = stride, f.hn = data(hn), f.cn = data(cn);
    if (keep) f.saved = data(saved), f.c = data(c);
    for (Buffer<T>* buffer : {y.get(), hn.get(), cn.get(), keep ? saved.get() : nullptr, c.get()})
      if (buffer != nullptr) buffer->poison();
    call(f, kernel.forward_scratch(f, members), kernel.forward);
  }

  // With the gates that forward kept, or computing them again.
  void backward(bool kept = true) {
    Backward b;
    b.inputs = p.inputs, b.units = p.units, b.rows = p.ragged.rows(), b.weights = weights(), b.noise = noise();
    b.x = data(x), b.h0 = data(h0), b.c0 = data(c0), b.y = data(y), b.y_stride = stride;
    b.saved = kept ? data(saved) : nullptr, b.c = data(c), b.dy = data(dy), b.dy_stride = stride, b.dhn = data(dhn), b.dcn = data(dcn);
    b.dx = data(dx), b.dh0 = data(dh0), b.dc0 = data(dc0), b.dih = data(dih), b.dhh = data(dhh);
    b.dbias_ih = data(dbias_ih), b.dbias_hh = data(dbias_hh);
    for (int i = 0; i < p.further(); ++i) b.dmore[i] = data(dmore[i]);
    for (const Memory* memory : {&dx, &dh0, &dc0, &dih, &dhh, &dbias_ih, &dbias_hh, &dmore[0], &dmore[1], &dmore[2]})
      if (*memory != nullptr) (*memory)->poison();
    call(b, kernel.backward_scratch(b, members), kernel.backward);
  }

  void compare_forward(const Answer& a, const std::string& what) const {
    compare_rows(a.y, what + " y");
    compare(*hn, a.hn, what + " hn");
    if (p.has_c()) compare(*cn, a.cn, what + " cn");
    check(guarded(), "guard zones", what.c_str());
  }
  void compare_backward(const Answer& a, const std::string& what) const {
    if (dx != nullptr) compare(*dx, a.dx, what + " dx");
    compare(*dh0, a.dh0, what + " dh0");
    if (p.has_c()) compare(*dc0, a.dc0, what + " dc0");
    compare(*dih, a.dih, what + " dW_ih");
    if (dhh != nullptr) compare(*dhh, a.dhh, what + " dW_hh");
    if (dbias_ih != nullptr) compare(*dbias_ih, a.dbias_ih, what + " db_ih");
    if (dbias_hh != nullptr) compare(*dbias_hh, a.dbias_hh, what + " db_hh");
    for (int i = 0; i < p.further(); ++i) compare(*dmore[i], a.dmore[i], what + " of further weights");
    check(guarded(), "guard zones", what.c_str());
  }

  // Whether the results of another run of the same problem have the same bits.
  bool same(const Run& other) const {
    const auto equal = [](const Memory& a, const Memory& b) {
      return a == nullptr || std::memcmp(a->data(), b->data(), a->bytes()) == 0;
    };
    return equal(y, other.y) && equal(hn, other.hn) && equal(cn, other.cn) && equal(dx, other.dx) && equal(dh0, other.dh0) &&
           equal(dc0, other.dc0) && equal(dih, other.dih) && equal(dhh, other.dhh) && equal(dbias_ih, other.dbias_ih) &&
           equal(dbias_hh, other.dbias_hh) && equal(dmore[0], other.dmore[0]) && equal(dmore[1], other.dmore[1]) &&
           equal(dmore[2], other.dmore[2]);
  }
  // Whether slot a of this run has the outputs of slot b of the other, bit by bit.
  bool same_slot(const Run& other, int64_t a, int64_t b) const {
    for (size_t t = 0; t < p.ragged.sizes.size() && p.ragged.sizes[t] > std::max(a, b); ++t)
      if (std::memcmp(y->data() + (p.ragged.starts[t] + a) * stride, other.y->data() + (p.ragged.starts[t] + b) * stride,
                      static_cast<size_t>(p.units) * sizeof(T)) != 0)
        return false;
    return true;
  }

 private:
  using Memory = std::unique_ptr<Buffer<T>>;

  int64_t states() const { return p.ragged.slots() * p.units; }
  static Memory input(const Numbers& values) {
    if (values.empty()) return nullptr;
    Memory memory = output(static_cast<int64_t>(values.size()));
    memory->set(values);
    return memory;
  }
  static Memory like(const Memory& memory) { return memory == nullptr ? nullptr : output(memory->size()); }
  static Memory output(int64_t count) { return count == 0 ? nullptr : std::make_unique<Buffer<T>>(count); }
  // Rows with a gap after each.
  Memory rows_of(const Numbers& values) const {
    Memory memory = output(p.ragged.total * stride);
    for (int64_t i = 0; i < p.ragged.total; ++i)
      for (int64_t u = 0; u < p.units; ++u)
        (*memory)[i * stride + u] = static_cast<T>(values[static_cast<size_t>(i * p.units + u)]);
    return memory;
  }
  static T* data(const Memory& memory) { return memory == nullptr ? nullptr : memory->data(); }
  Weights weights() const {
    return {data(ih), data(hh), data(bias_ih), data(bias_hh), {data(more[0]), data(more[1]), data(more[2])}, nullptr};
  }
  Noise noise() const {
    Noise noise = p.noise;
    noise.sequences = p.sequences.data();
    return noise;
  }

  template <class Call> struct Job {
    const Call& call;
    void (*function)(const Call&, const Member&, char*);
    char* memory;
  };
  template <class Call> void call(const Call& c, int64_t bytes, void (*function)(const Call&, const Member&, char*)) {
    Buffer<T> scratch((bytes + static_cast<int64_t>(sizeof(T)) - 1) / static_cast<int64_t>(sizeof(T)), true);
    Job<Call> job{c, function, reinterpret_cast<char*>(scratch.data())};
    run_team(
        members,
        [](void* context, const Member& member) {
          const auto& job = *static_cast<Job<Call>*>(context);
          job.function(job.call, member, job.memory);
        },
        &job);
    check(scratch.guards_hold(), "guard zones of scratch memory");
  }

  bool guarded() const {
    for (const Memory* memory : {&ih, &hh, &bias_ih, &bias_hh, &x, &h0, &c0, &dy, &dhn, &dcn, &y, &hn, &cn, &saved, &c, &dx,
                                 &dh0, &dc0, &dih, &dhh, &dbias_ih, &dbias_hh, &more[0], &more[1], &more[2], &dmore[0], &dmore[1],
                                 &dmore[2]})
      if (*memory != nullptr && !(*memory)->guards_hold()) return false;
    return true;
  }

  static void compare(const Buffer<T>& found, const Numbers& right, const std::string& what) {
    double scale = 1, worst = 0;
    for (double value : right) scale = std::max(scale, std::abs(value));
    for (int64_t i = 0; i < found.size(); ++i) {
      const double error = std::abs(static_cast<double>(found[i]) - right[static_cast<size_t>(i)]);
      if (!(error <= worst)) worst = error;
    }
    char detail[200];
    std::snprintf(detail, sizeof detail, "%s: off by %.3g of %.3g", what.c_str(), worst, scale);
    check(worst <= tolerance<T> * scale, "value", detail);
  }
  void compare_rows(const Numbers& right, const std::string& what) const {
    Buffer<T> rows(p.ragged.total * p.units);
    bool untouched = true;
    for (int64_t i = 0; i < p.ragged.total; ++i) {
      for (int64_t u = 0; u < p.units; ++u) rows[i * p.units + u] = (*y)[i * stride + u];
      for (int64_t u = p.units; u < stride; ++u) untouched = untouched && std::isnan((*y)[i * stride + u]);
    }
    compare(rows, right, what);
    check(untouched, "between rows nothing is written", what.c_str());
  }

  const Problem& p;
  const Kernel& kernel;
  const int members;
  const int64_t stride;
  Memory ih, hh, bias_ih, bias_hh, more[3], x, h0, c0, dy, dhn, dcn;
  Memory y, hn, cn, saved, c, dx, dh0, dc0, dih, dhh, dbias_ih, dbias_hh, dmore[3];
};

// How often the bits were the same with another number of members, and with slots exchanged.
struct Bits {
  int compared = 0, same = 0, exchanged = 0, same_exchanged = 0;
} bits;

template <class T> void all_runs(const Problem& p, const Answer& a, const Form& form, const Isa& isa, const std::string& name) {
  const Kernel& kernel = isa.kernels[static_cast<int>(p.cell)][sizeof(T) == 4 ? 0 : 1];
  std::unique_ptr<Run<T>> alone;
  for (int members = 1; members <= 3; ++members) {
    const std::string what = name + " " + isa.name + (sizeof(T) == 4 ? " float32 " : " float64 ") + std::to_string(members);
    auto run = std::make_unique<Run<T>>(p, kernel, members, form);
    run->forward(false);
    run->compare_forward(a, what + " inference");
    run->forward(true);
    run->compare_forward(a, what);
    run->backward();
    run->compare_backward(a, what);
    run->backward(false);
    run->compare_backward(a, what + " gates computed again");
    if (members == 2) {
      Run<T> again(p, kernel, members, form);
      again.forward(true), again.backward(), again.backward(false);
      check(again.same(*run), "the same call gives the same bits", what.c_str());
    }
    if (members == 1) {
      alone = std::move(run);
    } else {
      ++bits.compared;
      bits.same += run->same(*alone) ? 1 : 0;
    }
  }
}

void one(Cell cell, int64_t inputs, int64_t units, const Form& form, unsigned seed) {
  const Problem p = problem(cell, inputs, units, form, seed);
  const Answer a = Reference(p).a;
  size_t count;
  const Isa* const* list = available_isas(count);
  const std::string name = std::string(cells[static_cast<int>(cell)]) + " I " + std::to_string(inputs) + " H " +
                           std::to_string(units) + " B " + std::to_string(p.ragged.slots()) + " N " +
                           std::to_string(p.ragged.total) + (form.reverse ? " reverse" : "") + (form.resets ? " resets" : "") +
                           (form.noise == Form::none ? "" : form.noise == Form::training ? " noise" : " noise expected");
  for (size_t i = 0; i < count; ++i) {
    all_runs<float>(p, a, form, *list[i], name);
    all_runs<double>(p, a, form, *list[i], name);
  }
}

// Outputs of a sequence do not depend on its place in the batch: slots of equal length exchanged.
template <class T> void exchange(Cell cell, const Isa& isa, int64_t units, int members) {
  const Form form{std::vector<int64_t>(13, 6), false, false, true, true, Form::none};
  const Problem p = problem(cell, 5, units, form, 11);
  Problem q = p;
  const int64_t last = p.ragged.slots() - 1;
  const auto swap = [&](Numbers& values, int64_t width, int64_t first) {
    for (int64_t k = 0; k < width; ++k)
      std::swap(values[static_cast<size_t>(first * width + k)], values[static_cast<size_t>((first + last) * width + k)]);
  };
  for (int64_t start : q.ragged.starts) swap(q.x, q.inputs, start), swap(q.dy, units, start);
  for (Numbers* values : {&q.h0, &q.c0, &q.dhn, &q.dcn})
    if (!values->empty()) swap(*values, units, 0);
  const Kernel& kernel = isa.kernels[static_cast<int>(cell)][sizeof(T) == 4 ? 0 : 1];
  Run<T> one(p, kernel, members, form), other(q, kernel, members, form);
  one.forward(true), other.forward(true);
  ++bits.exchanged;
  bits.same_exchanged += one.same_slot(other, 0, last) && one.same_slot(other, last, 0) && one.same_slot(other, 4, 4) ? 1 : 0;
}

}  // namespace

int main(int count, char** values) {
  const bool quick = argument(count, values, "quick");
  const std::vector<int64_t> sizes = {1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 130};
  const std::vector<int64_t> few = {9, 5, 2}, many = {8, 8, 7, 7, 5, 3, 3, 3, 2, 2, 1, 1, 1, 0, 0};
  const std::vector<Form> forms = {{few, false, false, true, true, Form::none},
                                   {many, true, false, true, true, Form::training},
                                   {many, false, true, false, false, Form::none},
                                   {few, true, true, true, true, Form::evaluation},
                                   {many, true, false, true, true, Form::none},
                                   {few, false, true, false, true, Form::training}};
  unsigned seed = 0;
  for (int c = 0; c < tested; ++c) {
    const Cell cell = static_cast<Cell>(c);
    for (size_t i = 0; i < sizes.size(); ++i)
      for (size_t h = 0; h < sizes.size(); ++h) {
        if (quick && (i * 5 + h * 7 + static_cast<size_t>(c)) % 12 != 0) continue;
        ++seed;
        one(cell, sizes[i], sizes[h], forms[seed % forms.size()], seed);
      }
    // Several chunks of time, shared by slots and by units; and a batch of one.
    one(cell, 3, 130, {{64, 64, 63, 63, 62, 61, 60, 60, 55, 50, 40, 30, 20, 1, 0}, c % 2 == 0, c % 3 != 0, true, true, c % 2 == 0 ? Form::none : Form::training}, 90);
    one(cell, 4, 20, {{quick ? 60 : 700}, c % 2 == 0, true, true, true, Form::none}, 91);
    one(cell, 4, 20, {{1}, false, false, true, true, Form::none}, 92);
    if (!quick) {
      one(cell, 3, 66, {{400, 300, 200, 150, 130, 65, 63, 9, 1, 0}, c % 2 == 0, c % 3 != 0, true, true, Form::none}, 93);
      one(cell, 2, 5, {{2100, 1800, 1500, 900, 700, 3}, c % 2 == 1, c % 3 == 0, true, true, Form::none}, 94);
    }
    size_t available;
    const Isa* const* list = available_isas(available);
    for (size_t i = 0; i < available; ++i)
      for (int members = 1; members <= 3; ++members)
        exchange<float>(cell, *list[i], 33, members), exchange<double>(cell, *list[i], 33, members);
  }
  std::printf("  the same bits with 2 and 3 members as with 1: %d of %d; after an exchange of slots: %d of %d\n", bits.same,
              bits.compared, bits.same_exchanged, bits.exchanged);
  return finish("layer");
}
