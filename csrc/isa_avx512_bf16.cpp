// What AVX-512 with BF16 and VNNI does better: layers whose products are of bfloat16, streams whose weights are bfloat16 or
// int8.
#define OSTINATO_ISA avx512_bf16
#include "backward.h"
#include "stream_table.h"

namespace ostinato {
extern const LowTable low_avx512_bf16;

namespace avx512_bf16 {
constexpr LowTable low_table{stream_table,
                             {kernel<Paired<Elman<float, false>>>(), kernel<Paired<Elman<float, true>>>(),
                              kernel<Paired<Lstm<float, false>>>(), kernel<Paired<Gru<float>>>(),
                              kernel<Paired<Lstm<float, true>>>(), kernel<Paired<CoupledLstm<float>>>()}};
}  // namespace avx512_bf16

const LowTable low_avx512_bf16 = avx512_bf16::low_table;
}  // namespace ostinato
