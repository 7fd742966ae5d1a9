/** Small pictures beside the viewer: what the Screener saw, what it expected, and how these differ. */

import { useEffect, useRef } from "preact/hooks";
import type { Finding } from "../api/types";
import { useLoaded } from "../parts/loaded";
import { difference } from "./compose";
import { address, grey, type Grey } from "./loading";
import { colourMap } from "./look";

export function SeenAndExpected({ finding }: { finding: Finding }) {
  const seen = address(finding, "prepared.png");
  const expected = address(finding, "reconstruction.png");
  if (!seen || !expected) return null;
  return (
    <section class="panel" aria-labelledby="expected">
      <h2 id="expected">Seen and expected</h2>
      <div class="trio">
        <figure>
          <img src={seen} alt="The scan as the Screener saw it" />
          <figcaption>seen</figcaption>
        </figure>
        <figure>
          <img src={expected} alt="What the Screener expected of a healthy scan" />
          <figcaption>expected</figcaption>
        </figure>
        <figure>
          <Difference seen={seen} expected={expected} />
          <figcaption>difference</figcaption>
        </figure>
      </div>
    </section>
  );
}

function Difference({ seen, expected }: { seen: string; expected: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pair = useLoaded<[Grey, Grey]>(() => Promise.all([grey(seen), grey(expected)]), [seen, expected]);
  const name = colourMap.value;
  useEffect(() => {
    const target = canvas.current;
    if (!target || !pair.value) return;
    const [one, other] = pair.value;
    if (one.values.length !== other.values.length) return;
    target.width = one.width;
    target.height = one.height;
    const pixels = new ImageData(one.width, one.height);
    difference(pixels.data, one.values, other.values, name);
    target.getContext("2d")?.putImageData(pixels, 0, 0);
  }, [pair.value, name]);
  return <canvas ref={canvas} role="img" aria-label="Where the two differ" />;
}
