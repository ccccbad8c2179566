// One layer in one direction as a test has it: the problem, and a run of it in the numbers and the memory of one kernel.
#pragma once

#include <array>
#include <memory>
#include <random>
#include <string>

#include "../team.h"
#include "buffer.h"
#include "check.h"
#include "staged_reference.h"

namespace ostinato::tests {

struct Kind {
  Cell cell;
  const char* name;
  bool projected = false;
};
// What a result may differ by, in units of the greatest of its tensor (at least 1): the rounding of sums over up to a few
// hundred terms and steps.
template <class T> constexpr double tolerance = sizeof(T) == 4 ? 3e-5 : 1e-12;

struct Form {
  std::vector<int64_t> lengths;
  bool reverse, resets, bias;
  bool all_gradients;  // or dy alone, and no dx
  enum { none, training, evaluation } noise = none;
  bool spread = false;  // packed rows lie among others, in another order
};

inline Problem problem(const Kind& kind, int64_t inputs, int64_t units, const Form& form, unsigned seed) {
  Problem p{};
  p.cell = kind.cell, p.inputs = inputs, p.units = units, p.ragged = Ragged(form.lengths), p.bias = form.bias;
  p.outputs = kind.projected ? 1 + (7 * seed + inputs) % units : units;
  std::mt19937 random(seed);
  const auto fill = [&](Numbers& to, int64_t count, double scale) {
    std::uniform_real_distribution<float> even(-1, 1);
    to.resize(static_cast<size_t>(count));
    // Numbers that float32 holds, so that every format computes the same problem.
    for (double& value : to) value = static_cast<double>(static_cast<float>(scale) * even(random));
  };
  const int64_t rows = p.gates() * units, outputs = p.outputs, slots = p.ragged.slots();
  p.ragged.reverse = form.reverse;
  if (form.resets)
    for (int64_t i = 0; i < p.ragged.total; ++i) p.ragged.reset.push_back(random() % 7 == 0);
  fill(p.ih, rows * inputs, 1.5 / std::sqrt(static_cast<double>(inputs)));
  if (!p.independent()) fill(p.hh, rows * outputs, 1.5 / std::sqrt(static_cast<double>(outputs)));
  for (int i = 0; i < 4; ++i) fill(p.more[i], p.further(i), 0.7);
  if (kind.projected) fill(p.hr, outputs * units, 1.5 / std::sqrt(static_cast<double>(units)));
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
  fill(p.x, p.ragged.total * inputs, 1), fill(p.h0, slots * outputs, 0.9);
  fill(p.dy, p.ragged.total * outputs, 1);
  if (form.all_gradients) fill(p.dhn, slots * outputs, 1);
  if (p.has_c()) {
    fill(p.c0, slots * units, 1.5);
    if (form.all_gradients) fill(p.dcn, slots * units, 1);
  }
  return p;
}

// One problem in the numbers and the memory of one kernel.
template <class T> class Run {
 public:
  Run(const Problem& p, const Kernel& kernel, int members, const Form& form)
      : p(p), kernel(kernel), members(members), stride(p.outputs + 3), places(places_of(p, form)), ih(input(p.ih)), hh(input(p.hh)),
        bias_ih(input(p.bias_ih)), bias_hh(input(p.bias_hh)), hr(input(p.hr)),
        more{input(p.more[0]), input(p.more[1]), input(p.more[2]), input(p.more[3])}, x(rows_of(p.x, p.inputs, p.inputs)), h0(input(p.h0)),
        c0(input(p.c0)), dy(rows_of(p.dy, p.outputs, stride)), dhn(input(p.dhn)), dcn(input(p.dcn)), y(output(lying() * stride)),
        hn(like(h0)), cn(like(c0)), saved(output(kernel.saved_size(p.units, p.ragged.total))),
        c(output(p.has_c() ? p.ragged.total * p.units : 0)), dx(form.all_gradients ? like(x) : nullptr), dh0(like(h0)),
        dc0(like(c0)), dih(like(ih)), dhh(like(hh)), dbias_ih(like(bias_ih)), dbias_hh(like(bias_hh)), dhr(like(hr)),
        dmore{like(more[0]), like(more[1]), like(more[2]), like(more[3])} {}

  // What forward keeps for backward.
  enum class Keep { nothing, states, gates };
  void forward(Keep keep) {
    Forward f;
    f.inputs = p.inputs, f.units = p.units, f.rows = rows(), f.weights = weights(), f.noise = noise();
    f.x = data(x), f.h0 = data(h0), f.c0 = data(c0), f.outputs = hr == nullptr ? 0 : p.outputs;
    f.y = data(y), f.y_stride = stride, f.hn = data(hn), f.cn = data(cn);
    if (keep != Keep::nothing) f.c = data(c);
    if (keep == Keep::gates) f.saved = data(saved);
    for (const Memory* memory : {&y, &hn, &cn, &saved, &c})
      if (*memory != nullptr) (*memory)->poison();
    call(f, kernel.forward_scratch(f, members), kernel.forward);
  }

  // With the gates that forward kept, or computing them again.
  void backward(bool kept = true) {
    Backward b;
    b.inputs = p.inputs, b.units = p.units, b.rows = rows(), b.weights = weights(), b.noise = noise();
    b.x = data(x), b.h0 = data(h0), b.c0 = data(c0), b.y = data(y), b.y_stride = stride;
    b.outputs = hr == nullptr ? 0 : p.outputs;
    b.saved = kept ? data(saved) : nullptr, b.c = data(c), b.dy = data(dy), b.dy_stride = stride, b.dhn = data(dhn), b.dcn = data(dcn);
    b.dx = data(dx), b.dh0 = data(dh0), b.dc0 = data(dc0), b.dih = data(dih), b.dhh = data(dhh), b.dhr = data(dhr);
    b.dbias_ih = data(dbias_ih), b.dbias_hh = data(dbias_hh);
    for (int i = 0; i < 4; ++i) b.dmore[i] = data(dmore[i]);
    for (const Memory* memory : gradients())
      if (*memory != nullptr) (*memory)->poison();
    call(b, kernel.backward_scratch(b, members), kernel.backward);
  }

  void compare_forward(const Answer& a, const std::string& what) const {
    compare_rows(*y, p.outputs, stride, a.y, what + " y");
    compare(*hn, a.hn, what + " hn");
    if (p.has_c()) compare(*cn, a.cn, what + " cn");
    check(guarded(), "guard zones", what.c_str());
  }
  void compare_backward(const Answer& a, const std::string& what) const {
    if (dx != nullptr) compare_rows(*dx, p.inputs, p.inputs, a.dx, what + " dx");
    compare(*dh0, a.dh0, what + " dh0");
    if (p.has_c()) compare(*dc0, a.dc0, what + " dc0");
    compare(*dih, a.dih, what + " dW_ih");
    if (dhh != nullptr) compare(*dhh, a.dhh, what + " dW_hh");
    if (dbias_ih != nullptr) compare(*dbias_ih, a.dbias_ih, what + " db_ih");
    if (dbias_hh != nullptr) compare(*dbias_hh, a.dbias_hh, what + " db_hh");
    if (dhr != nullptr) compare(*dhr, a.dhr, what + " dW_hr");
    for (int i = 0; i < 4; ++i)
      if (dmore[i] != nullptr) compare(*dmore[i], a.dmore[i], what + " of further weights " + std::to_string(i));
    check(guarded(), "guard zones", what.c_str());
  }

  // Whether the results of another run of the same problem have the same bits.
  bool same(const Run& other) const {
    const auto equal = [](const Memory& a, const Memory& b) {
      return a == nullptr || std::memcmp(a->data(), b->data(), a->bytes()) == 0;
    };
    bool all = equal(y, other.y) && equal(hn, other.hn) && equal(cn, other.cn);
    const auto mine = gradients(), theirs = other.gradients();
    for (size_t i = 0; i < mine.size(); ++i) all = all && equal(*mine[i], *theirs[i]);
    return all;
  }
  // Whether slot a of this run has the outputs of slot b of the other, bit by bit.
  bool same_slot(const Run& other, int64_t a, int64_t b) const {
    for (size_t t = 0; t < p.ragged.sizes.size() && p.ragged.sizes[t] > std::max(a, b); ++t)
      if (std::memcmp(y->data() + (p.ragged.starts[t] + a) * stride, other.y->data() + (p.ragged.starts[t] + b) * stride,
                      static_cast<size_t>(p.outputs) * sizeof(T)) != 0)
        return false;
    return true;
  }

 private:
  using Memory = std::unique_ptr<Buffer<T>>;

  std::array<const Memory*, 12> gradients() const {
    return {&dx, &dh0, &dc0, &dih, &dhh, &dbias_ih, &dbias_hh, &dhr, &dmore[0], &dmore[1], &dmore[2], &dmore[3]};
  }
  static Memory input(const Numbers& values) {
    if (values.empty()) return nullptr;
    Memory memory = output(static_cast<int64_t>(values.size()));
    memory->set(values);
    return memory;
  }
  static Memory like(const Memory& memory) { return memory == nullptr ? nullptr : output(memory->size()); }
  static Memory output(int64_t count) { return count == 0 ? nullptr : std::make_unique<Buffer<T>>(count); }
  // Where packed rows lie: every second row, the last first.
  static std::vector<int64_t> places_of(const Problem& p, const Form& form) {
    std::vector<int64_t> found;
    for (int64_t i = p.ragged.total; form.spread && i > 0; --i) found.push_back(2 * i - 1);
    return found;
  }
  int64_t place(int64_t row) const { return places.empty() ? row : places[static_cast<size_t>(row)]; }
  int64_t lying() const { return places.empty() ? p.ragged.total : 2 * p.ragged.total + 1; }
  Rows rows() const {
    Rows rows = p.ragged.rows();
    rows.places = places.empty() ? nullptr : places.data();
    return rows;
  }
  // Rows where they lie, with a gap after each; what lies between them is no number.
  Memory rows_of(const Numbers& values, int64_t width, int64_t apart) const {
    Memory memory = output(lying() * apart);
    if (memory != nullptr) memory->poison();
    for (int64_t i = 0; i < p.ragged.total; ++i)
      for (int64_t u = 0; u < width; ++u)
        (*memory)[place(i) * apart + u] = static_cast<T>(values[static_cast<size_t>(i * width + u)]);
    return memory;
  }
  static T* data(const Memory& memory) { return memory == nullptr ? nullptr : memory->data(); }
  Weights weights() const {
    return {data(ih), data(hh), data(bias_ih), data(bias_hh), {data(more[0]), data(more[1]), data(more[2]), data(more[3])}, data(hr)};
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
    for (const Memory* memory : {&ih, &hh, &bias_ih, &bias_hh, &hr, &more[0], &more[1], &more[2], &more[3], &x, &h0, &c0,
                                 &dy, &dhn, &dcn, &y, &hn, &cn, &saved, &c})
      if (*memory != nullptr && !(*memory)->guards_hold()) return false;
    for (const Memory* memory : gradients())
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
  void compare_rows(const Buffer<T>& found, int64_t width, int64_t apart, const Numbers& right,
                    const std::string& what) const {
    Buffer<T> rows(p.ragged.total * width);
    int64_t numbers = 0;
    for (int64_t i = 0; i < found.size(); ++i) numbers += std::isnan(found[i]) ? 0 : 1;
    for (int64_t i = 0; i < p.ragged.total; ++i)
      for (int64_t u = 0; u < width; ++u) rows[i * width + u] = found[place(i) * apart + u];
    compare(rows, right, what);
    const bool untouched = numbers <= p.ragged.total * width;
    check(untouched, "between rows nothing is written", what.c_str());
  }

  const Problem& p;
  const Kernel& kernel;
  const int members;
  const int64_t stride;
  const std::vector<int64_t> places;
  Memory ih, hh, bias_ih, bias_hh, hr, more[4], x, h0, c0, dy, dhn, dcn;
  Memory y, hn, cn, saved, c, dx, dh0, dc0, dih, dhh, dbias_ih, dbias_hh, dhr, dmore[4];
};

}  // namespace ostinato::tests
