// What the Python module has for laying sequences out in packed rows.
#pragma once

#include <nanobind/nanobind.h>

namespace ostinato {

void bind_rows(nanobind::module_& m);

}  // namespace ostinato
