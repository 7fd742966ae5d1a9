/** Which regions are shown: all, or only those that are rare enough. */

import type { Region } from "../api/types";
import { regionsTo } from "./look";

/** Whether a region is at most as likely on a healthy scan as is asked for. */
export function isShown(region: Region): boolean {
  return region.p_value === null || region.p_value <= regionsTo.value;
}
