/** Buttons that choose files, or a folder, and send them. */

import { useRef } from "preact/hooks";
import { send } from "../state/uploads";
import { Icon } from "./icon";

const KINDS = ".png,.jpg,.jpeg,.bmp,.tif,.tiff,.webp,.nii,.gz,.dcm,.zip,application/dicom";

export function PickFiles({ primary = true }: { primary?: boolean }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const chosen = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    const all = [...(input.files ?? [])].sort((a, b) =>
      (a.webkitRelativePath || a.name).localeCompare(b.webkitRelativePath || b.name, "en", { numeric: true }),
    );
    input.value = "";
    if (all.length > 0) send(all);
  };
  return (
    <span class="pick">
      <input ref={files} type="file" multiple accept={KINDS} hidden data-testid="files" onChange={chosen} />
      <input
        ref={folder}
        type="file"
        hidden
        data-testid="folder"
        onChange={chosen}
        {...({ webkitdirectory: true } as Record<string, unknown>)}
      />
      <button type="button" class={primary ? "button primary" : "button"} onClick={() => files.current?.click()}>
        <Icon name="upload" /> Judge scans
      </button>
      <button type="button" class="button" onClick={() => folder.current?.click()} title="Judge all scans of a folder">
        <Icon name="folder" /> Folder
      </button>
    </span>
  );
}
