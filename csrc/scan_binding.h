// What the Python module has of the scan kernels.
#pragma once

#include <nanobind/nanobind.h>

namespace ostinato {

void bind_scan(nanobind::module_& m);

}  // namespace ostinato
