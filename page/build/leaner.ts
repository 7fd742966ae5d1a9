/** NiiVue without what this page never shows. */

import type { Plugin } from "vite";

/** Half of the time that NiiVue takes for a volume goes into gradients of its grey: only rendering in depth needs them. */
const GRADIENTS = "function gradientGL(params) {";

/** Leave gradients out of NiiVue; the build fails where a new version of it has none to leave out. */
export function leaner(): Plugin {
  return {
    name: "atypia-leaner",
    enforce: "pre",
    transform(code, id) {
      if (!/@niivue\/niivue\/dist\/index\.js/.test(id)) return null;
      const [before, after, ...more] = code.split(GRADIENTS);
      if (after === undefined || more.length > 0) this.error(`Expected one "${GRADIENTS}" in ${id}.`);
      return { code: `${before}${GRADIENTS} return params.gradientTexture;${after}`, map: null };
    },
  };
}
