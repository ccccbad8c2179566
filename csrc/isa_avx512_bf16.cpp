#define OSTINATO_ISA avx512_bf16
#include "table.h"

namespace ostinato {
extern const Isa isa_avx512_bf16;
const Isa isa_avx512_bf16 = avx512_bf16::make("avx512_bf16");
}  // namespace ostinato
