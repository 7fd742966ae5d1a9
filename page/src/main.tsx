/** Start the page. */

import { render } from "preact";
import { App } from "./app";
import { follow } from "./routing";
import { start } from "./state/session";
import "./state/theme";
import "./styles/page.css";

follow(() => {
  document.getElementById("content")?.focus({ preventScroll: true });
  scrollTo(0, 0);
});
void start();
const root = document.getElementById("page");
if (root) {
  root.textContent = "";
  render(<App />, root);
}
