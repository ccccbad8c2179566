// What the way back through a cell of several stages holds in memory.
#pragma once

#include "backward.h"
#include "staged_forward.h"

namespace ostinato::OSTINATO_ISA {

template <class T> struct StagedBackRow {
  const T* next;  // the gradients of the next step of the same sequence, at unit vector 0; a row of zeros if it has none
  const T *dy, *dhn;  // or none
  const T *record, *norm, *h, *c;
  const T *soon, *dy_soon;  // record and dy of the step that comes next on the way back
  T *carry, *carry_h, *gradient;  // carry_h: past the cell, with zoneout
  T *line;     // of the chunk: dL/dh where it is projected, r h where the cell resets before its product
  T *slopes, *c_slopes;  // of the slot: lanes' sums of the ways back of normalisations; or dL/dn
  T* x_slopes;           // of the row
  Keys keys;
};

template <class Cell> struct StagedBackwardSpace {
  using T = typename Cell::Number;
  using Input = Layout<typename Cell::Input>;
  using Hidden = Layout<typename Cell::Hidden>;
  static constexpr int L = lanes<T>, width = Input::wide * L;

  int64_t chunk, places, record_vector, carry_row, line_row, slope_row, inner, bytes;
  T *x_panels, *h_panels, *last_panels;  // weights packed for the way back
  T *gradients;                          // (v, chunk + B + 1, D, L): rows, then the step after the chunk, then 0
  T *lines, *slopes, *c_slopes, *carry, *carry_h;
  T *dih, *dhh, *dlast, *dparameters;    // sums over the chunks so far, packed
  T *records, *norms;                    // of the chunk, where they are computed again
  T *x_slopes;                           // of the chunk: the slopes of the input's groups
  const T **x_at, **h_at, **line_at;
  StagedBackRow<T>* rows;
  StagedRow<T>* again;
  T* found;  // of a row of the step: slopes of each group of the state's side
  T *again_lines, *again_cells, *again_moments, *unread;
  int64_t *fresh, *fresh_slot;

  static constexpr int block = 48;  // rows computed again at a time

  // `vectors` rounded up to what the products of plain columns take at once.
  static int64_t even(int64_t vectors) { return blocks(vectors, 2) * 2; }

  StagedBackwardSpace(const Backward& b, Stages<Cell>& stages, int member, int members, char* scratch) {
    const int64_t vectors = stages.vectors, row = even(vectors) * L * Cell::D, slots = b.rows.slots;
    chunk = longest_chunk(b.rows, max(384, (1 << 20) / (row * static_cast<int64_t>(sizeof(T)))));
    places = chunk + slots + 1;
    const bool low = b.saved == nullptr, last = stages.last_units > 0;
    record_vector = (low ? chunk : b.rows.total) * Cell::S * L;
    inner = Cell::twice ? b.units : stages.outputs;  // what the last product's way back sums over
    carry_row = even(max(vectors, blocks(stages.outputs, L))) * L;
    line_row = even(blocks(inner, L)) * L;
    slope_row = max(2 * lane_size<Cell>(vectors), even(vectors) * L);
    Carver carver{scratch};
    stages.take(carver, low);
    x_panels = carver.take<T>(b.dx == nullptr ? 0 : Input::wide_panels(b.inputs) * Input::depth(b.units) * width);
    h_panels = carver.take<T>(Hidden::wide_panels(stages.outputs) * Hidden::depth(b.units) * width);
    last_panels = carver.take<T>(last ? Input::wide_panels(b.units) * Layout<Part<T, 1, 1>>::depth(inner) * width : 0);
    gradients = carver.take<T>(places * row);
    lines = carver.take<T>(last ? chunk * line_row : 0);
    slopes = carver.take<T>(Cell::groups > 0 || Cell::twice ? slots * slope_row : 0);
    c_slopes = carver.take<T>(Cell::groups > 0 && Cell::has_c ? slots * vectors * 2 * L : 0);
    carry = carver.take<T>(slots * carry_row);
    carry_h = carver.take<T>(Cell::has_c && b.noise.on ? slots * carry_row : 0);
    dih = carver.take<T>(vectors * b.inputs * Input::C * L);
    dhh = carver.take<T>(vectors * stages.outputs * Hidden::C * L);
    dlast = carver.take<T>(last ? even(vectors) * L * inner : 0);
    dparameters = carver.take<T>(vectors * Cell::A * L);
    records = carver.take<T>(low ? vectors * record_vector : 0);
    x_slopes = carver.take<T>(chunk * Cell::groups * 2);
    norms = carver.take<T>(low ? chunk * Cell::N : 0);
    for (int i = 0; i < members; ++i) {
      const T** its_x_at = carver.take<const T*>(chunk);
      const T** its_h_at = carver.take<const T*>(chunk);
      const T** its_line_at = carver.take<const T*>(last ? chunk : 0);
      StagedBackRow<T>* its_rows = carver.take<StagedBackRow<T>>(slots);
      int64_t* its_fresh = carver.take<int64_t>(2 * chunk);
      T* its_found = carver.take<T>(slots * Cell::groups * 2);
      StagedRow<T>* its_again = carver.take<StagedRow<T>>(low ? block : 0);
      T* its_lines = carver.take<T>(low ? block * stages.line() : 0);
      T* its_cells = carver.take<T>(low ? block * stages.line() : 0);
      T* its_moments = carver.take<T>(low ? block * lane_size<Cell>(vectors) : 0);
      T* its_unread = carver.take<T>(low ? b.units + stages.outputs : 0);
      if (i != member) continue;
      x_at = its_x_at, h_at = its_h_at, line_at = its_line_at, rows = its_rows, fresh = its_fresh, fresh_slot = its_fresh + chunk;
      found = its_found;
      again = its_again, again_lines = its_lines, again_cells = its_cells, again_moments = its_moments,
      unread = its_unread;
    }
    bytes = carver.used;
  }
};

}  // namespace ostinato::OSTINATO_ISA
