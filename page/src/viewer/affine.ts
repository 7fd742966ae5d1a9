/** From voxels to mm and back. */

export type Point = [number, number, number];

/** Take a place in voxels to mm; `affine` has four rows of four. */
export function toMm(affine: number[][], voxel: Point): Point {
  return rows(affine).map((row) => row[0]! * voxel[0] + row[1]! * voxel[1] + row[2]! * voxel[2] + row[3]!) as Point;
}

/** Take a place in mm to voxels; null where the affine has no inverse. */
export function toVoxel(affine: number[][], mm: Point): Point | null {
  const [a, b, c] = rows(affine) as [number[], number[], number[]];
  const columns = [0, 1, 2].map((column): Point => [a[column]!, b[column]!, c[column]!]) as [Point, Point, Point];
  const volume = dot(columns[0], cross(columns[1], columns[2]));
  if (Math.abs(volume) < 1e-12) return null;
  const from: Point = [mm[0] - a[3]!, mm[1] - b[3]!, mm[2] - c[3]!];
  return [
    dot(from, cross(columns[1], columns[2])) / volume,
    dot(from, cross(columns[2], columns[0])) / volume,
    dot(from, cross(columns[0], columns[1])) / volume,
  ];
}

const ACROSS: Record<string, number> = { sagittal: 0, coronal: 1, axial: 2 };

/** Which axis of the grid goes across the slices of a plane; null where the plane is not known. */
export function axisOf(affine: number[][], plane: string | null): number | null {
  const patient = plane === null ? undefined : ACROSS[plane];
  if (patient === undefined) return null;
  const along = rows(affine).map((_, axis) => {
    const column = rows(affine).map((row) => row[axis]!) as Point;
    return Math.abs(column[patient]!) / Math.max(1e-12, Math.hypot(...column));
  });
  return along.indexOf(Math.max(...along));
}

function rows(affine: number[][]): number[][] {
  return affine.slice(0, 3);
}

function dot(a: Point, b: Point): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Point, b: Point): Point {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
