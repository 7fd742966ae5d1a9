/** Files can be dropped anywhere on the page. */

import { useEffect, useState } from "preact/hooks";
import { dropped } from "../state/dropped";
import { mayRead } from "../state/session";
import { fail, say } from "../state/toasts";
import { send } from "../state/uploads";
import { Icon } from "./icon";

export function DropZone() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const stop = new AbortController();
    const on = (kind: string, act: (event: DragEvent) => void) =>
      // Before what is below them: the viewer of volumes keeps these events to itself.
      addEventListener(kind, act as EventListener, { signal: stop.signal, capture: true });
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    on("dragenter", (event) => {
      if (!hasFiles(event)) return;
      depth++;
      setOver(true);
    });
    on("dragleave", () => {
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    });
    on("dragover", (event) => hasFiles(event) && event.preventDefault());
    on("drop", (event) => {
      depth = 0;
      setOver(false);
      if (!hasFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      if (!mayRead.value) return say("Your role may look, but not upload.", "failed");
      dropped(event.dataTransfer).then(send).catch(fail);
    });
    return () => stop.abort();
  }, []);
  if (!over) return null;
  return (
    <div class="drop">
      <div>
        <Icon name="upload" size={40} />
        <p>Drop scans to have them judged</p>
        <small>Pictures, NIfTI, DICOM, zip files, or whole folders</small>
      </div>
    </div>
  );
}
