#pragma once

#include <nanobind/nanobind.h>

namespace ostinato {

void bind_stream(nanobind::module_& m);

}  // namespace ostinato
