/** An OpenTelemetry collector on loopback: takes `POST /v1/traces` as OTLP says, and refuses whatever is not of it. */
import { z } from "zod";

const value = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ intValue: z.string().regex(/^-?\d+$/) }),
  z.strictObject({ doubleValue: z.number() }),
  z.strictObject({ boolValue: z.boolean() }),
]);
const attribute = z.strictObject({ key: z.string().min(1), value });
const attributes = z.array(attribute).refine((all) => new Set(all.map(({ key }) => key)).size === all.length);
const nanos = z.string().regex(/^\d{19}$/);
const span = z
  .strictObject({
    traceId: z.string().regex(/^(?!0+$)[0-9a-f]{32}$/),
    spanId: z.string().regex(/^(?!0+$)[0-9a-f]{16}$/),
    parentSpanId: z
      .string()
      .regex(/^(?!0+$)[0-9a-f]{16}$/)
      .optional(),
    name: z.string().min(1),
    kind: z.int().min(0).max(5),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes,
    status: z.strictObject({ code: z.int().min(0).max(2) }).optional(),
  })
  .refine(({ startTimeUnixNano, endTimeUnixNano }) => BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano));
const scopeSpans = z.array(
  z.strictObject({ scope: z.looseObject({ name: z.string() }), spans: z.array(span) }),
);
const message = z.strictObject({
  resourceSpans: z.array(z.strictObject({ resource: z.strictObject({ attributes }), scopeSpans })),
});

export type CollectedSpan = z.output<typeof span>;

export interface Collector {
  readonly endpoint: string;
  readonly spans: CollectedSpan[];
  readonly requests: { readonly headers: Headers; readonly spans: number }[];
  /** Why bodies were refused. */
  readonly problems: string[];
  /** Statuses of the next answers, before all that is well; `null`: none comes. */
  readonly next: (number | null)[];
  stop(): Promise<void>;
}

export function startCollector(): Collector {
  const spans: CollectedSpan[] = [];
  const requests: Collector["requests"] = [];
  const problems: string[] = [];
  const next: (number | null)[] = [];
  const take = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || pathname !== "/v1/traces") return new Response(null, { status: 404 });
    const parsed = message.safeParse(await request.json());
    if (!parsed.success) {
      problems.push(z.prettifyError(parsed.error));
      return new Response(null, { status: 400 });
    }
    const found = parsed.data.resourceSpans.flatMap((each) =>
      each.scopeSpans.flatMap((scope) => scope.spans),
    );
    requests.push({ headers: request.headers, spans: found.length });
    const status = next.shift();
    if (status === null) return await new Promise<never>(() => undefined);
    if (status !== undefined) return new Response(null, { status });
    spans.push(...found);
    return Response.json({ partialSuccess: {} });
  };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: take });
  const stop = (): Promise<void> => server.stop(true);
  return { endpoint: `http://127.0.0.1:${server.port}`, spans, requests, problems, next, stop };
}

export function factsOf({ attributes: all }: CollectedSpan): Readonly<Record<string, unknown>> {
  return Object.fromEntries(all.map((each) => [each.key, Object.values(each.value)[0]]));
}
