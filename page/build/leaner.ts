/** NiiVue without what this page never shows. */

import type { Plugin } from "vite";

/** Half of the time that NiiVue takes for a volume goes into gradients of its grey: only rendering in depth needs them. */
const GRADIENTS = "function gradientGL(params) {";
const NIIVUE = /@niivue\/niivue\/(?:dist|build\/niivue)\/index\.js/;

/** Leave gradients out of NiiVue; the build fails where a new version of it has none to leave out. */
export function leaner(): Plugin {
  let left = 0;
  return {
    name: "atypia-leaner",
    enforce: "pre",
    transform(code, id) {
      if (!NIIVUE.test(id)) return null;
      const [before, after, ...more] = code.split(GRADIENTS);
      if (after === undefined || more.length > 0) this.error(`Expected one "${GRADIENTS}" in ${id}.`);
      left += 1;
      return { code: `${before}${GRADIENTS} return params.gradientTexture;${after}`, map: null };
    },
    generateBundle() {
      if (left === 0) this.error(`Expected NiiVue at ${NIIVUE}, and found it nowhere.`);
    },
  };
}
