// A cell whose state is updated element by element, over time: forward, and backward in one pass against time.
//
// Bound by memory: every number is read or written once, in the order in which it lies there, and gates live in
// registers only. A member computes its own units or its own slots through all of time and waits for nobody. Its states
// stay in the second cache: it takes as many slots at a time as fit there.
#pragma once

#include "scan_call.h"
#include "scan_cells.h"
#include "steps.h"

namespace ostinato::OSTINATO_ISA {

// The units and slots of one member.
struct ScanShare {
  int64_t first_unit = 0, last_unit, first_slot = 0, last_slot;

  ScanShare(int64_t units, int64_t width, const Rows& rows, const Member& member)
      : last_unit(units), last_slot(rows.slots) {
    if (member.count == 1) return;
    if (rows.slots >= 4 * member.count) {
      first_slot = cut(rows, member.id, member.count);
      last_slot = cut(rows, member.id + 1, member.count);
    } else {
      const int64_t vectors = blocks(units, width);
      first_unit = min(units, vectors * member.id / member.count * width);
      last_unit = min(units, vectors * (member.id + 1) / member.count * width);
    }
  }

  // Where share `which` of `count` begins if all are to have as many rows.
  static int64_t cut(const Rows& rows, int which, int count) {
    if (which == count) return rows.slots;
    const int64_t wanted = rows.total * which / count;
    int64_t slot = 0, length = rows.steps;
    for (int64_t found = 0; slot < rows.slots; ++slot) {
      while (length > 0 && rows.sizes[length - 1] <= slot) --length;
      if (found >= wanted) break;
      found += length;
    }
    return slot;
  }
};

// function(first, last) for as many slots at a time as have their states in the cache.
template <class F> void in_slots(const ScanShare& share, int64_t slot_bytes, F&& function) {
  const int64_t most = max(1, (256 << 10) / max(1, slot_bytes));
  for (int64_t first = share.first_slot; first < share.last_slot; first += most)
    function(first, min(share.last_slot, first + most));
}

// function(unit, count) for each vector of the share's units; a count of a whole vector is a constant.
template <class T, class F> inline void in_vectors(const ScanShare& share, F function) {
  const int64_t end = share.last_unit;
  int64_t unit = share.first_unit;
  for (; unit + lanes<T> <= end; unit += lanes<T>) function(unit, Count<lanes<T>>{});
  if (unit < end) function(unit, static_cast<int>(end - unit));
}

template <class T, int N> inline vec<T> load(const T* from, Count<N>) { return load(from); }
template <class T, int N> inline void store(T* to, vec<T> value, Count<N>) { store(to, value); }

// N vectors that lie `apart` numbers from one another.
template <int N, class T, class Width> inline void load_all(vec<T>* to, const T* from, int64_t apart, Width width) {
  for (int i = 0; i < N; ++i) to[i] = load(from + i * apart, width);
}
template <int N, class T, class Width> inline void store_all(T* to, const vec<T>* from, int64_t apart, Width width) {
  for (int i = 0; i < N; ++i) store(to + i * apart, from[i], width);
}

// The same past the caches, for what is too much for them: memory need not be read before it is written.
template <class T, class Width> inline void stream(T* to, vec<T> value, Width width) {
#if defined(__x86_64__)
  if constexpr (sizeof(Width) == sizeof(Count<1>)) {
#if defined(__AVX512F__)
    return _mm512_stream_ps(reinterpret_cast<float*>(to), (__m512)value);
#elif defined(__AVX2__)
    return _mm256_stream_ps(reinterpret_cast<float*>(to), (__m256)value);
#else
    return _mm_stream_ps(reinterpret_cast<float*>(to), (__m128)value);
#endif
  }
#endif
  store(to, value, width);
}
template <int N, class T, class Width>
inline void write_all(T* to, const vec<T>* from, int64_t apart, Width width, bool streams) {
  for (int i = 0; i < N; ++i) streams ? stream(to + i * apart, from[i], width) : store(to + i * apart, from[i], width);
}

// Whether to write past the caches: rows of whole vectors, in all more than the caches hold.
template <class T> inline bool streams(int64_t units, int64_t numbers, const void* to) {
  const int64_t size = static_cast<int64_t>(sizeof(T));
  return numbers * size > (16 << 20) && units * size % vector_bytes == 0 &&
         reinterpret_cast<uintptr_t>(to) % vector_bytes == 0;
}

// What was written past the caches is there before the member is done.
inline void settle_streams() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

template <int N, class T> inline void prefetch(const T* from, int64_t apart) {
  for (int i = 0; i < N; ++i) __builtin_prefetch(from + i * apart);
}

// How many rows ahead of the one in work memory is asked for the next: rows lie in the order in which they are read, but
// what a row does with its numbers takes too many instructions for the processor to see far enough by itself.
template <class T> inline int64_t rows_ahead(int64_t width, bool backward) {
  const int64_t rows = blocks(4096, width * static_cast<int64_t>(sizeof(T)));
  return backward ? -rows : rows;
}

// The share's units of one slot's state.
template <class Cell, class T> inline void copy_state(const ScanShare& share, int64_t units, const T* from, T* to) {
  for (int i = 0; i < Cell::S; ++i)
    copy(from + i * units + share.first_unit, to + i * units + share.first_unit, share.last_unit - share.first_unit);
}

template <class Cell> void scan_forward(const Scan& f, const Member& member) {
  using T = typename Cell::Number;
  constexpr int G = Cell::G, S = Cell::S, A = Cell::A;
  const int64_t H = f.units;
  const ScanShare share(H, lanes<T>, f.rows, member);
  const T *pre = static_cast<const T*>(f.pre), *skip = static_cast<const T*>(f.skip),
          *vectors = static_cast<const T*>(f.vectors), *first = static_cast<const T*>(f.first);
  const int64_t ahead = rows_ahead<T>(G * H, f.rows.reverse);
  T *states = static_cast<T*>(f.states), *y = static_cast<T*>(f.y), *last = static_cast<T*>(f.last);
  // Only where there is more to write than to compute: elsewhere the writes hide behind the arithmetic.
  const bool past = S > 1 && streams<T>(H, f.rows.total * S * H, states);

  in_slots(share, (share.last_unit - share.first_unit) * S * static_cast<int64_t>(sizeof(T)), [&](int64_t from,
                                                                                                  int64_t to) {
    for (int64_t j = from; j < to; ++j) copy_state<Cell>(share, H, first + j * S * H, last + j * S * H);
    for (int64_t s = 0; s < f.rows.steps; ++s) {
      const Step step = step_at(f.rows, s);
      for (int64_t i = from, end = min(to, step.count); i < end; ++i) {
        const int64_t j = f.rows.reverse ? end - 1 - i + from : i, row = step.first + j;
        T* state = last + j * S * H;
        if (f.rows.reset != nullptr && f.rows.reset[row] != 0) copy_state<Cell>(share, H, first + j * S * H, state);
        const T *my_pre = pre + row * G * H, *my_skip = skip + row * H;
        T *my_states = states == nullptr ? nullptr : states + row * S * H, *my_y = y + row * H;
        in_vectors<T>(share, [=](int64_t u, auto width) {
          prefetch<G>(my_pre + ahead * G * H + u, H);
          if constexpr (Cell::skips) prefetch<1>(my_skip + ahead * H + u, H);
          vec<T> gates[G], v[A + 1], x{}, now[S], out{};
          load_all<G>(gates, my_pre + u, H, width);
          load_all<A>(v, vectors + u, H, width);
          load_all<S>(now, state + u, H, width);
          if constexpr (Cell::skips) x = load(my_skip + u, width);
          Cell::forward(gates, v, x, now, out);
          store_all<S>(state + u, now, H, width);
          if (my_states != nullptr) write_all<S>(my_states + u, now, H, width, past);
          if constexpr (Cell::apart) store(my_y + u, out, width);
        });
      }
    }
  });
  settle_streams();
}

template <class Cell> int64_t scan_backward_scratch(const ScanBackward& b) {
  const int64_t size = static_cast<int64_t>(sizeof(typename Cell::Number));
  return b.rows.reset == nullptr ? 0 : b.rows.slots * Cell::S * b.units * size;
}

// dfirst is the gradient of the state as it goes back in time; what it was at a reset is set aside and added at the end.
template <class Cell> void scan_backward(const ScanBackward& b, const Member& member, char* scratch) {
  using T = typename Cell::Number;
  constexpr int G = Cell::G, S = Cell::S, A = Cell::A;
  const int64_t H = b.units, outputs = (Cell::apart ? 1 : S) * H, ahead = rows_ahead<T>(G * H, !b.rows.reverse);
  const ScanShare share(H, lanes<T>, b.rows, member);
  const T *pre = static_cast<const T*>(b.pre), *skip = static_cast<const T*>(b.skip),
          *vectors = static_cast<const T*>(b.vectors), *first = static_cast<const T*>(b.first),
          *states = static_cast<const T*>(b.states), *dy = static_cast<const T*>(b.dy),
          *dlast = static_cast<const T*>(b.dlast);
  T *dpre = static_cast<T*>(b.dpre), *dskip = static_cast<T*>(b.dskip), *dfirst = static_cast<T*>(b.dfirst),
    *dvectors = static_cast<T*>(b.dvectors) + member.id * A * H;
  const bool past = streams<T>(H, b.rows.total * G * H, dpre), past_skip = past && streams<T>(H, b.rows.total * G * H, dskip);
  T* aside = b.rows.reset == nullptr ? nullptr : reinterpret_cast<T*>(scratch);

  in_slots(share, (share.last_unit - share.first_unit) * S * static_cast<int64_t>(sizeof(T)), [&](int64_t from,
                                                                                                  int64_t to) {
    for (int64_t j = from; j < to; ++j) {
      copy_state<Cell>(share, H, dlast + j * S * H, dfirst + j * S * H);
      for (int i = 0; aside != nullptr && i < S; ++i)
        std::memset(aside + (j * S + i) * H + share.first_unit, 0,
                    static_cast<size_t>(share.last_unit - share.first_unit) * sizeof(T));
    }
    for (int64_t s = b.rows.steps - 1; s >= 0; --s) {
      const Step step = step_at(b.rows, s);
      for (int64_t i = from, end = min(to, step.count); i < end; ++i) {
        const int64_t j = b.rows.reverse ? i : end - 1 - i + from, row = step.first + j;
        const bool reset = b.rows.reset != nullptr && b.rows.reset[row] != 0;
        const T* before = begins(b.rows, step, j) ? first + j * S * H : states + (step.before + j) * S * H;
        const T *my_pre = pre + row * G * H, *my_skip = skip + row * H, *my_dy = dy + row * outputs;
        T *my_dpre = dpre + row * G * H, *my_dskip = dskip + row * H, *carry = dfirst + j * S * H,
          *my_aside = reset ? aside + j * S * H : nullptr;
        in_vectors<T>(share, [=](int64_t u, auto width) {
          prefetch<G>(my_pre + ahead * G * H + u, H);
          prefetch<S>(before + ahead * S * H + u, H);
          prefetch<Cell::apart ? 1 : S>(my_dy + ahead * outputs + u, H);
          if constexpr (Cell::skips) prefetch<1>(my_skip + ahead * H + u, H);
          vec<T> gates[G], v[A + 1], x{}, was[S], dout{}, dstate[S], d[G], dx{}, dv[A + 1];
          load_all<G>(gates, my_pre + u, H, width);
          load_all<A>(v, vectors + u, H, width);
          load_all<A>(dv, dvectors + u, H, width);
          load_all<S>(was, before + u, H, width);
          load_all<S>(dstate, carry + u, H, width);
          if constexpr (Cell::skips) x = load(my_skip + u, width);
          if constexpr (Cell::apart) {
            dout = load(my_dy + u, width);
          } else {
            for (int i = 0; i < S; ++i) dstate[i] += load(my_dy + i * H + u, width);
          }
          Cell::backward(gates, v, x, was, dout, dstate, d, dx, dv);
          write_all<G>(my_dpre + u, d, H, width, past);
          store_all<A>(dvectors + u, dv, H, width);
          if constexpr (Cell::skips) write_all<1>(my_dskip + u, &dx, H, width, past_skip);
          if (my_aside != nullptr) {
            for (int i = 0; i < S; ++i) {
              T* sum = my_aside + i * H + u;
              store(sum, load(sum, width) + dstate[i], width);
              dstate[i] = vec<T>{};
            }
          }
          store_all<S>(carry + u, dstate, H, width);
        });
      }
    }
    for (int64_t j = from; aside != nullptr && j < to; ++j)
      in_vectors<T>(share, [&](int64_t u, auto width) {
        for (int i = 0; i < S; ++i) {
          T* sum = dfirst + (j * S + i) * H + u;
          store(sum, load(sum, width) + load(aside + (j * S + i) * H + u, width), width);
        }
      });
  });
  settle_streams();
}

// How many threads are worth their waking: none of less than some ten microseconds of work each.
inline int scan_members(int64_t units, const Rows& rows, int most) {
  return static_cast<int>(max(1, min(most, rows.total * units >> 15)));
}

template <class Cell> constexpr ScanKernel scan_kernel() {
  return {scan_backward_scratch<Cell>, scan_members, scan_forward<Cell>, scan_backward<Cell>};
}

}  // namespace ostinato::OSTINATO_ISA
