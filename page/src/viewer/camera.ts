/** Where a picture lies on the screen: scale, and the place of its corner. */

export interface Camera {
  scale: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** The most that a pixel is enlarged. */
export const LARGEST = 40;

/** Show the whole picture in the middle. */
export function fit(picture: Size, view: Size): Camera {
  const scale = Math.max(0.01, Math.min(view.width / picture.width, view.height / picture.height));
  return { scale, x: (view.width - scale * picture.width) / 2, y: (view.height - scale * picture.height) / 2 };
}

/** Enlarge about a place (x, y) of the screen, which stays where it is. */
export function zoom(camera: Camera, factor: number, x: number, y: number, smallest: number): Camera {
  const scale = Math.min(LARGEST, Math.max(smallest, camera.scale * factor));
  const by = scale / camera.scale;
  return { scale, x: x - by * (x - camera.x), y: y - by * (y - camera.y) };
}

/** Put a place (x, y) of the picture in the middle of the screen. */
export function centre(camera: Camera, x: number, y: number, view: Size): Camera {
  return { ...camera, x: view.width / 2 - camera.scale * x, y: view.height / 2 - camera.scale * y };
}

/** Keep some of the picture on the screen. */
export function kept(camera: Camera, picture: Size, view: Size): Camera {
  const margin = 40;
  const within = (at: number, length: number, room: number) =>
    Math.min(room - margin, Math.max(margin - camera.scale * length, at));
  return {
    ...camera,
    x: within(camera.x, picture.width, view.width),
    y: within(camera.y, picture.height, view.height),
  };
}
