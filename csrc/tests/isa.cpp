// The choice of the instruction set: by the environment, by name, or the best.
#include "../isa.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "check.h"

using namespace ostinato;
using namespace ostinato::tests;

int main() {
  size_t count;
  const Isa* const* list = available_isas(count);
  check(count > 0 && std::string(list[count - 1]->name) == "baseline", "the baseline is always there, last");

  setenv("OSTINATO_ISA", "no such", 1);
  std::string message;
  try {
    isa();
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  for (size_t i = 0; i < count; ++i)
    check(message.find(list[i]->name) != std::string::npos, "an unknown name in the environment: the error lists", list[i]->name);

  setenv("OSTINATO_ISA", "baseline", 1);
  check(&isa() == list[count - 1], "OSTINATO_ISA chooses");
  for (size_t i = 0; i < count; ++i) {
    check(choose_isa(list[i]->name) && &isa() == list[i], "chosen by name", list[i]->name);
    check(!choose_isa("no such") && &isa() == list[i], "an unknown name changes nothing");
  }
  const LowPrecision low = low_precision();
  std::printf("  best %s; bf16 %d, vnni %d\n", list[0]->name, low.bf16, low.vnni);
  return finish("isa");
}
