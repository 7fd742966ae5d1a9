/** Axes: from values to places, and round values to write on them. */

export interface Scale {
  to: (value: number) => number;
  from: (place: number) => number;
}

/** A straight scale from values [low, high] to places [start, end]. */
export function straight(low: number, high: number, start: number, end: number): Scale {
  const range = high - low || 1;
  return {
    to: (value) => start + ((value - low) / range) * (end - start),
    from: (place) => low + ((place - start) / (end - start)) * range,
  };
}

/** About `count` round values in [low, high]. */
export function ticks(low: number, high: number, count: number): number[] {
  const range = high - low;
  if (!(range > 0)) return [low];
  const rough = range / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999) ?? rough;
  const found: number[] = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) {
    found.push(Number(value.toPrecision(12)));
  }
  return found;
}

/** Count sorted values in `count` bins of [low, high]; those outside are left out. */
export function bins(values: number[], low: number, high: number, count: number): number[] {
  const found = new Array<number>(count).fill(0);
  for (const value of values) {
    if (value < low || value > high) continue;
    const place = Math.min(count - 1, Math.floor(((value - low) / (high - low || 1)) * count));
    found[place] = (found[place] ?? 0) + 1;
  }
  return found;
}
