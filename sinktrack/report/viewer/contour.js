/* Lines of equal value over a grid of patches, so that what lies below them keeps its colours. Knows nothing about
 * pages. A patch counts at its centre, between centres values run evenly, and outside the picture nothing looks.
 *
 * Marching squares: Lorensen and Cline 1987 in two dimensions; a saddle is told by its mean.
 */
const SinkTrackContour = (() => {
  "use strict";

  /** Corners of a cell, clockwise from the upper left, and its sides between them. */
  const SIDES = [[0, 1], [1, 2], [2, 3], [3, 0]];

  /**
   * The line of one level, as pieces from point to point.
   * @param {Float32Array} values rows x columns, in reading order
   * @param {number} columns
   * @param {number} level
   * @returns {[number, number, number, number][]} x, y, x, y in patches from the upper left corner
   */
  function line(values, columns, level) {
    const rows = values.length / columns;
    const place = (at, count) => Math.min(count, Math.max(0, at - 0.5)); // of the grid with an edge around it
    const value = (row, column) =>
      (row < 1 || row > rows || column < 1 || column > columns ? 0 : values[(row - 1) * columns + column - 1]);
    const pieces = [];
    for (let row = 0; row <= rows; row++) {
      for (let column = 0; column <= columns; column++) {
        const at = [value(row, column), value(row, column + 1), value(row + 1, column + 1), value(row + 1, column)];
        const above = at[0] > level;
        if (at[1] > level === above && at[2] > level === above && at[3] > level === above) continue;
        const corners = [[row, column], [row, column + 1], [row + 1, column + 1], [row + 1, column]];
        const points = SIDES.flatMap(([from, to]) => {
          if (at[from] > level === at[to] > level) return [];
          const way = (level - at[from]) / (at[to] - at[from]);
          const [[r, c], [nextR, nextC]] = [corners[from], corners[to]].map(([y, x]) => [place(y, rows), place(x, columns)]);
          return [[c + way * (nextC - c), r + way * (nextR - r)]];
        });
        if (points.length === 2) pieces.push([...points[0], ...points[1]]);
        if (points.length === 4) {
          const high = at.reduce((sum, each) => sum + each, 0) / 4 > level;
          const turn = high === at[0] > level ? [[0, 1], [2, 3]] : [[3, 0], [1, 2]];
          pieces.push(...turn.map(([from, to]) => [...points[from], ...points[to]]));
        }
      }
    }
    return pieces;
  }

  return { line };
})();
