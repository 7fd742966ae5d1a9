/** The border of a region along the edges of its pixels. */

/** Return line pieces x0, y0, x1, y1 around the pixels of `mask` (H * W) that equal `rank`; runs are joined. */
export function outline(mask: ArrayLike<number>, width: number, height: number, rank: number): number[] {
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] === rank;
  return [
    ...runs(height + 1, width, (y, x) => inside(x, y - 1) !== inside(x, y)).flatMap(([y, a, b]) => [a, y, b, y]),
    ...runs(width + 1, height, (x, y) => inside(x - 1, y) !== inside(x, y)).flatMap(([x, a, b]) => [x, a, x, b]),
  ];
}

function runs(lines: number, length: number, edge: (line: number, place: number) => boolean): [number, number, number][] {
  const found: [number, number, number][] = [];
  for (let line = 0; line < lines; line++) {
    let start = -1;
    for (let place = 0; place <= length; place++) {
      const here = place < length && edge(line, place);
      if (here && start < 0) start = place;
      if (!here && start >= 0) {
        found.push([line, start, place]);
        start = -1;
      }
    }
  }
  return found;
}
