/** All paths that are driven, by the part of a call they are about. */
import type { Plans } from "./plan.ts";
import { COACHING } from "./plans.coaching.ts";
import { CONSULTING } from "./plans.consulting.ts";
import { MUTING } from "./plans.muting.ts";
import { PAGES } from "./plans.pages.ts";
import { PAGING } from "./plans.paging.ts";
import { RELEASING } from "./plans.releasing.ts";
import { REMOVED } from "./plans.removed.ts";
import { STREAMING } from "./plans.streaming.ts";

export const ALL: Readonly<Record<string, Plans>> = {
  "caller and AI": STREAMING,
  "people are paged": PAGING,
  "a page": PAGES,
  "the coach": COACHING,
  "the way back": RELEASING,
  "the caller on hold": CONSULTING,
  "somebody is muted": MUTING,
  "the AI leaves": REMOVED,
};
