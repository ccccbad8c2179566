// Every kernel of every instruction set of this machine, forward and backward, against the reference in double precision:
// partial vectors of inputs and units, unequal lengths, resets, both directions, one to three members; memory poisoned
// with NaN and guarded. `layer quick` takes a part of it.
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "../isa.h"
#include "layer_run.h"

using namespace ostinato;
using namespace ostinato::tests;

namespace {

constexpr Kind kinds[] = {{Cell::elman_tanh, "elman_tanh"},
                          {Cell::elman_relu, "elman_relu"},
                          {Cell::lstm, "lstm"},
                          {Cell::gru, "gru"},
                          {Cell::lstm_peephole, "lstm_peephole"},
                          {Cell::lstm_coupled, "lstm_coupled"},
                          {Cell::independent_relu, "independent_relu"},
                          {Cell::independent_tanh, "independent_tanh"},
                          {Cell::lstm_projected, "lstm_projected", true},
                          {Cell::lstm_peephole_projected, "lstm_peephole_projected", true},
                          {Cell::lstm_coupled_projected, "lstm_coupled_projected", true},
                          {Cell::gru_before, "gru_before"},
                          {Cell::lstm_norm, "lstm_norm"},
                          {Cell::lstm_norm, "lstm_norm projected", true},
                          {Cell::gru_norm, "gru_norm"}};
static_assert(sizeof kinds / sizeof *kinds == static_cast<size_t>(Cell::count) + 1, "every cell has a reference");

// How often the bits were the same with another number of members, and with slots exchanged.
struct Bits {
  int compared = 0, same = 0, exchanged = 0, same_exchanged = 0;
} bits;

template <class T> void all_runs(const Problem& p, const Answer& a, const Form& form, const Isa& isa, const std::string& name) {
  using Keep = typename Run<T>::Keep;
  const Kernel& kernel = isa.kernels[static_cast<int>(p.cell)][sizeof(T) == 4 ? 0 : 1];
  std::unique_ptr<Run<T>> alone;
  for (int members = 1; members <= 3; ++members) {
    const std::string what = name + " " + isa.name + (sizeof(T) == 4 ? " float32 " : " float64 ") + std::to_string(members);
    auto run = std::make_unique<Run<T>>(p, kernel, members, form);
    run->forward(Keep::nothing);
    run->compare_forward(a, what + " inference");
    run->forward(Keep::gates);
    run->compare_forward(a, what);
    run->backward();
    run->compare_backward(a, what);
    run->forward(Keep::states);
    run->compare_forward(a, what + " states kept");
    run->backward(false);
    run->compare_backward(a, what + " gates computed again");
    if (members == 2) {
      Run<T> again(p, kernel, members, form);
      again.forward(Keep::states), again.backward(false);
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

// The instruction sets of this machine whose kernels of a cell are their own.
std::vector<const Isa*> isas_of(Cell cell) {
  size_t count;
  const Isa* const* list = available_isas(count);
  std::vector<const Isa*> own;
  const auto kernel = [cell](const Isa* isa) { return isa->kernels[static_cast<int>(cell)][0].forward; };
  for (size_t i = 0; i < count; ++i)
    if (own.empty() || kernel(own.back()) != kernel(list[i])) own.push_back(list[i]);
  return own;
}

void one(const Kind& kind, int64_t inputs, int64_t units, const Form& form, unsigned seed) {
  const Problem p = problem(kind, inputs, units, form, seed);
  const Answer a = p.staged() ? StagedReference(p).a : Reference(p).a;
  const std::string name = std::string(kind.name) + " I " + std::to_string(inputs) + " H " + std::to_string(units) + " P " +
                           std::to_string(p.outputs) + " B " + std::to_string(p.ragged.slots()) + " N " +
                           std::to_string(p.ragged.total) + (form.reverse ? " reverse" : "") + (form.resets ? " resets" : "") + (form.spread ? " spread" : "") +
                           (form.noise == Form::none ? "" : form.noise == Form::training ? " noise" : " noise expected");
  for (const Isa* isa : isas_of(kind.cell)) {
    // Normalising two numbers or one has no slope to speak of: what float32 gives then is rounding.
    if (!p.normalised() || units > 2) all_runs<float>(p, a, form, *isa, name);
    all_runs<double>(p, a, form, *isa, name);
  }
}

// Calls from several threads at a time, each with a team if it gets one.
template <class T> void together(const Kind& kind, const Isa& isa, int threads) {
  const Form form{{9, 8, 8, 7, 7, 6, 5, 5, 4, 3, 2, 1}, kind.projected, true, true, true, Form::training};
  const Problem p = problem(kind, 20, 33, form, 17);
  const Kernel& kernel = isa.kernels[static_cast<int>(kind.cell)][sizeof(T) == 4 ? 0 : 1];
  std::vector<std::unique_ptr<Run<T>>> runs;
  for (int i = 0; i <= threads; ++i) runs.push_back(std::make_unique<Run<T>>(p, kernel, 1 + i % 3, form));
  const auto work = [](Run<T>& run) {
    run.forward(Run<T>::Keep::gates), run.backward();
    run.forward(Run<T>::Keep::states), run.backward(false);
  };
  work(*runs[0]);
  std::vector<std::thread> callers;
  for (int i = 1; i <= threads; ++i) callers.emplace_back([&, i] { work(*runs[static_cast<size_t>(i)]); });
  for (std::thread& caller : callers) caller.join();
  const Answer a = p.staged() ? StagedReference(p).a : Reference(p).a;
  for (const auto& run : runs) {
    run->compare_forward(a, std::string(kind.name) + " beside others " + isa.name);
    run->compare_backward(a, std::string(kind.name) + " beside others " + isa.name);
  }
}

// Outputs of a sequence do not depend on its place in the batch: slots of equal length exchanged.
template <class T> void exchange(const Kind& kind, const Isa& isa, int64_t units, int members) {
  const Form form{std::vector<int64_t>(13, 6), false, false, true, true, Form::none};
  const Problem p = problem(kind, 5, units, form, 11);
  Problem q = p;
  const int64_t last = p.ragged.slots() - 1;
  const auto swap = [&](Numbers& values, int64_t width, int64_t first) {
    for (int64_t k = 0; k < width; ++k)
      std::swap(values[static_cast<size_t>(first * width + k)], values[static_cast<size_t>((first + last) * width + k)]);
  };
  for (int64_t start : q.ragged.starts) swap(q.x, q.inputs, start), swap(q.dy, q.outputs, start);
  for (Numbers* values : {&q.h0, &q.dhn}) swap(*values, q.outputs, 0);
  for (Numbers* values : {&q.c0, &q.dcn})
    if (!values->empty()) swap(*values, units, 0);
  const Kernel& kernel = isa.kernels[static_cast<int>(kind.cell)][sizeof(T) == 4 ? 0 : 1];
  Run<T> one(p, kernel, members, form), other(q, kernel, members, form);
  one.forward(Run<T>::Keep::gates), other.forward(Run<T>::Keep::gates);
  ++bits.exchanged;
  bits.same_exchanged += one.same_slot(other, 0, last) && one.same_slot(other, last, 0) && one.same_slot(other, 4, 4) ? 1 : 0;
}

}  // namespace

int main(int count, char** values) {
  const bool quick = argument(count, values, "quick");
  const std::vector<int64_t> sizes = {1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 130};
  const std::vector<int64_t> few = {9, 5, 2}, many = {8, 8, 7, 7, 5, 3, 3, 3, 2, 2, 1, 1, 1, 0, 0};
  const std::vector<Form> forms = {{few, false, false, true, true, Form::none},
                                   {many, true, false, true, true, Form::training, true},
                                   {many, false, true, false, false, Form::none, true},
                                   {few, true, true, true, true, Form::evaluation},
                                   {many, true, false, true, true, Form::none},
                                   {few, false, true, false, true, Form::training}};
  unsigned seed = 0;
  for (size_t c = 0; c < std::size(kinds); ++c) {
    const Kind& kind = kinds[c];
    for (size_t i = 0; i < sizes.size(); ++i)
      for (size_t h = 0; h < sizes.size(); ++h) {
        if (quick && (i * 5 + h * 7 + c) % 12 != 0) continue;
        ++seed;
        one(kind, sizes[i], sizes[h], forms[seed % forms.size()], seed);
      }
    // Several chunks of time, shared by slots and by units; and a batch of one.
    one(kind, 3, 130, {{64, 64, 63, 63, 62, 61, 60, 60, 55, 50, 40, 30, 20, 1, 0}, c % 2 == 0, c % 3 != 0, true, true, c % 2 == 0 ? Form::none : Form::training, c % 3 == 1}, 90);
    one(kind, 4, 20, {{quick ? 60 : 700}, c % 2 == 0, true, true, true, Form::none}, 91);
    one(kind, 4, 20, {{1}, false, false, true, true, Form::none}, 92);
    if (!quick) {
      one(kind, 3, 66, {{400, 300, 200, 150, 130, 65, 63, 9, 1, 0}, c % 2 == 0, c % 3 != 0, true, true, Form::none, c % 2 == 0}, 93);
      one(kind, 2, 5, {{2100, 1800, 1500, 900, 700, 3}, c % 2 == 1, c % 3 == 0, true, true, Form::none}, 94);
    }
    for (const Isa* isa : isas_of(kind.cell)) {
      for (int members = 1; members <= 3; ++members)
        exchange<float>(kind, *isa, 33, members), exchange<double>(kind, *isa, 33, members);
      together<float>(kind, *isa, 3), together<double>(kind, *isa, 3);
    }
  }
  std::printf("  the same bits with 2 and 3 members as with 1: %d of %d; after an exchange of slots: %d of %d\n", bits.same,
              bits.compared, bits.same_exchanged, bits.exchanged);
  return finish("layer");
}
