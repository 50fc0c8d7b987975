/** Every edge that is fuzzed, by name. */
import { createConsoleEdge } from "./console.ts";
import type { Edge } from "./edge.ts";
import { createMediaEdge } from "./media.ts";
import { createModelEdge } from "./model.ts";
import { createWebhookEdge } from "./webhooks.ts";

export const EDGES: Readonly<Record<string, () => Edge>> = {
  webhooks: createWebhookEdge,
  media: createMediaEdge,
  model: createModelEdge,
  console: createConsoleEdge,
};
