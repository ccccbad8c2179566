#define OSTINATO_ISA baseline
#include "table.h"

namespace ostinato {
extern const Isa isa_baseline;
const Isa isa_baseline = baseline::make("baseline");
}  // namespace ostinato
