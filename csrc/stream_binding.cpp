// Stream in Python. A step takes numpy arrays through the buffer protocol and tensors through DLPack's C exchange, and
// gives the same kind back; anything dearer would cost more than the step.
#include "stream_binding.h"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "dlpack_exchange.h"
#include "stream.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

// A dense array on the CPU, whoever owns it.
struct Array {
  char* data = nullptr;
  int dimensions = 0;
  int64_t shape[2] = {};
  int64_t size() const { return shape[0] * (dimensions == 2 ? shape[1] : 1); }
};

[[noreturn]] void refuse(const std::string& why) { throw nb::value_error(why.c_str()); }

const char* name_of(Stored stored) { return stored == Stored::float64 ? "float64" : "float32"; }

class View {
 public:
  Array array;
  const dlpack::Exchange* exchange = nullptr;  // of a tensor
  dlpack::Tensor tensor;

  View(nb::handle object, const char* name, Stored stored, bool writable) {
    if (PyObject_CheckBuffer(object.ptr())) {
      take_buffer(object, name, stored, writable);
    } else {
      exchange = dlpack::exchange_of(Py_TYPE(object.ptr()));
      if (exchange == nullptr)
        throw nb::type_error((std::string(name) + " must be a numpy array or a torch tensor, not " +
                              Py_TYPE(object.ptr())->tp_name).c_str());
      take_tensor(object, name, stored, writable);
    }
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() {
    if (held_) PyBuffer_Release(&buffer_);
  }

 private:
  void take_buffer(nb::handle object, const char* name, Stored stored, bool writable) {
    if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_ND | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)) != 0) {
      PyErr_Clear();
      refuse(std::string(name) + " must be C-contiguous" + (writable ? " and writable" : ", as np.ascontiguousarray(x)"));
    }
    held_ = true;
    const char* format = buffer_.format == nullptr ? "B" : buffer_.format;
    if (format[0] != (stored == Stored::float64 ? 'd' : 'f') || format[1] != 0) wrong_type(object, name, stored);
    set(name, static_cast<char*>(buffer_.buf), buffer_.ndim, buffer_.shape);
  }

  void take_tensor(nb::handle object, const char* name, Stored stored, bool writable) {
    if (exchange->view(object.ptr(), &tensor) != 0) {
      PyErr_Clear();
      refuse(std::string(name) + " must be a dense tensor on the CPU");
    }
    if (tensor.device.type != dlpack::cpu) refuse(std::string(name) + " must be on the CPU");
    if (tensor.dtype.code != dlpack::floating || tensor.dtype.bits != (stored == Stored::float64 ? 64 : 32))
      wrong_type(object, name, stored);
    set(name, static_cast<char*>(tensor.data) + tensor.byte_offset, tensor.ndim, tensor.shape);
    int64_t dense = 1;
    for (int d = tensor.ndim - 1; d >= 0 && tensor.strides != nullptr; --d) {
      if (tensor.shape[d] > 1 && tensor.strides[d] != dense && array.size() > 0)
        refuse(std::string(name) + " must be contiguous" + (writable ? "" : ", as x.contiguous()"));
      dense *= tensor.shape[d];
    }
  }

  [[noreturn]] static void wrong_type(nb::handle object, const char* name, Stored stored) {
    const std::string got = nb::str(nb::getattr(object, "dtype", nb::str("of another type"))).c_str();
    refuse(std::string(name) + " must be " + name_of(stored) + ", but it is " + got);
  }

  template <class Size> void set(const char* name, char* data, int dimensions, const Size* shape) {
    if (dimensions != 1 && dimensions != 2)
      refuse(std::string(name) + " must be 1-D or 2-D, but it has " + std::to_string(dimensions) + " dimensions");
    array.data = data, array.dimensions = dimensions;
    for (int d = 0; d < dimensions; ++d) array.shape[d] = shape[d];
  }

  Py_buffer buffer_{};
  bool held_ = false;
};

std::string shown(const Array& a) {
  return a.dimensions == 1 ? "(" + std::to_string(a.shape[0]) + ",)"
                           : "(" + std::to_string(a.shape[0]) + ", " + std::to_string(a.shape[1]) + ")";
}

// The stream of a layer, held by one thread at a time.
class Streaming {
 public:
  Streaming(int cell, int stored, int64_t inputs, int64_t units, int layers, int threads)
      : stream_(static_cast<Cell>(cell), static_cast<Stored>(stored), inputs, units, layers, threads) {
    nb::module_ numpy = nb::module_::import_("numpy");
    empty_ = numpy.attr("empty");
    dtype_ = numpy.attr("dtype")(name_of(stream_.stored()));
  }

  void pack(int layer, uintptr_t ih, uintptr_t hh, uintptr_t bias_ih, uintptr_t bias_hh) {
    const auto in = [](uintptr_t address) { return reinterpret_cast<const void*>(address); };
    stream_.pack(layer, {in(ih), in(hh), in(bias_ih), in(bias_hh)});
  }

  void bind(nb::object owner, uintptr_t h, uintptr_t c, uintptr_t open, int64_t slots) {
    owner_ = std::move(owner);
    stream_.bind(reinterpret_cast<void*>(h), reinterpret_cast<void*>(c), reinterpret_cast<const uint8_t*>(open), slots);
  }

  bool acquire() { return !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }

  nb::object step(nb::handle x, nb::handle rows, nb::handle out) {
    const Held held(*this);
    const Stored stored = stream_.stored();
    const View input(x, "x", stored, false);
    const Array& a = input.array;
    const int64_t count = a.dimensions == 2 ? a.shape[0] : 1;
    if (a.shape[a.dimensions - 1] != stream_.inputs())
      refuse("x must have " + std::to_string(stream_.inputs()) + " inputs, but its shape is " + shown(a));
    const Slots slots(rows, *this, count);
    if (!out.is_none()) {
      const View output(out, "out", stored, true);
      check_out(output.array, a);
      run(a, slots.data, count, output.array);
      return nb::borrow(out);
    }
    return input.exchange != nullptr ? fresh_tensor(input, slots.data, count) : fresh_array(a, slots.data, count);
  }

 private:
  struct Held {
    Streaming& self;
    explicit Held(Streaming& s) : self(s) {
      if (!s.acquire()) throw std::runtime_error("another thread is using this stream; one step at a time");
    }
    ~Held() { self.release(); }
  };

  struct Tensor {
    dlpack::Managed managed{};
    int64_t shape[2], strides[2];
    struct Freed {
      void operator()(Tensor* tensor) const { std::free(tensor); }
    };
  };

  // The slots of the rows: an int64 array, or None for all of them.
  struct Slots {
    const int64_t* data = nullptr;
    Py_buffer buffer{};
    bool held = false;
    Slots(nb::handle rows, Streaming& self, int64_t count) {
      Stream& stream = self.stream_;
      if (rows.is_none()) {
        fits(stream.slots(), count);
        return;
      }
      if (PyObject_GetBuffer(rows.ptr(), &buffer, PyBUF_ND) != 0) throw nb::python_error();
      held = true;
      try {
        if (buffer.ndim != 1 || buffer.itemsize != 8) refuse("rows must be 1-D and int64");
        fits(buffer.shape[0], count);
        data = static_cast<const int64_t*>(buffer.buf);
        const int64_t wrong = stream.misplaced(data, count);
        if (wrong >= 0)
          refuse("rows[" + std::to_string(wrong) + "] = " + std::to_string(data[wrong]) +
                 " is not an open stream, or stands there twice");
      } catch (...) {
        PyBuffer_Release(&buffer);
        throw;
      }
    }
    static void fits(int64_t streams, int64_t count) {
      if (streams != count)
        refuse("x has " + std::to_string(count) + " row(s) for " + std::to_string(streams) + " stream(s)");
    }
    Slots(const Slots&) = delete;
    Slots& operator=(const Slots&) = delete;
    ~Slots() {
      if (held) PyBuffer_Release(&buffer);
    }
  };

  void check_out(const Array& out, const Array& x) const {
    if (out.dimensions != x.dimensions || (x.dimensions == 2 && out.shape[0] != x.shape[0]) ||
        out.shape[out.dimensions - 1] != stream_.units())
      refuse("out must be " + std::string(x.dimensions == 2 ? "(" + std::to_string(x.shape[0]) + ", " : "(") +
             std::to_string(stream_.units()) + (x.dimensions == 2 ? ")" : ",)") + ", but its shape is " + shown(out));
  }

  nb::object fresh_array(const Array& x, const int64_t* slots, int64_t count) {
    if (shape_.ptr() == nullptr || shape_rows_ != (x.dimensions == 2 ? count : -1)) {
      shape_ = x.dimensions == 2 ? nb::make_tuple(count, stream_.units()) : nb::make_tuple(stream_.units());
      shape_rows_ = x.dimensions == 2 ? count : -1;
    }
    PyObject* arguments[2] = {shape_.ptr(), dtype_.ptr()};
    nb::object made = nb::steal(PyObject_Vectorcall(empty_.ptr(), arguments, 2, nullptr));
    if (!made.is_valid()) throw nb::python_error();
    const View output(made, "out", stream_.stored(), true);
    run(x, slots, count, output.array);
    return made;
  }

  // Made here, in one piece of memory, since having it made by the library costs more than a small step.
  nb::object fresh_tensor(const View& x, const int64_t* slots, int64_t count) {
    constexpr size_t head = (sizeof(Tensor) + 63) / 64 * 64;
    const int64_t units = stream_.units();
    const size_t size = static_cast<size_t>(count * units) * (stream_.stored() == Stored::float64 ? 8 : 4);
    void* memory = std::aligned_alloc(64, head + (size + 63) / 64 * 64);
    if (memory == nullptr) throw std::bad_alloc();
    std::unique_ptr<Tensor, Tensor::Freed> made(new (memory) Tensor);
    char* data = static_cast<char*>(memory) + head;
    run(x.array, slots, count, {data});
    const bool rows = x.array.dimensions == 2;
    made->shape[0] = count, made->shape[1] = made->strides[0] = units, made->strides[1] = 1;
    made->managed.version = {1, 0};
    made->managed.deleter = [](dlpack::Managed* managed) { std::free(managed); };
    made->managed.tensor = {data, {dlpack::cpu, 0}, rows ? 2 : 1, x.tensor.dtype,
                            made->shape + !rows, made->strides + !rows, 0};
    void* object = nullptr;
    if (x.exchange->wrap(&made.release()->managed, &object) != 0) throw nb::python_error();
    return nb::steal(static_cast<PyObject*>(object));
  }

  void run(const Array& x, const int64_t* slots, int64_t count, const Array& y) {
    const int64_t number = stream_.stored() == Stored::float64 ? 8 : 4, bytes = count * stream_.units() * number;
    const bool overlap = x.data < y.data + bytes && y.data < x.data + x.size() * number;
    const std::vector<char> copy(x.data, overlap ? x.data + x.size() * number : x.data);
    const char* from = overlap ? copy.data() : x.data;
    if (stream_.lasts(count)) {
      nb::gil_scoped_release released;
      stream_.step(from, slots, count, y.data);
    } else {
      stream_.step(from, slots, count, y.data);
    }
  }

  Stream stream_;
  std::atomic<bool> busy_{false};
  nb::object empty_, dtype_, shape_, owner_;  // owner: what keeps the states alive
  int64_t shape_rows_ = 0;
};

}  // namespace

void bind_stream(nb::module_& m) {
  nb::class_<Streaming>(m, "Stream")
      .def(nb::init<int, int, int64_t, int64_t, int, int>())
      .def("pack", &Streaming::pack)
      .def("bind", &Streaming::bind)
      .def("acquire", &Streaming::acquire)
      .def("release", &Streaming::release)
      .def("step", &Streaming::step, nb::arg("x").none(), nb::arg("rows").none(), nb::arg("out").none());
}

}  // namespace ostinato
