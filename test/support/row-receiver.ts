/** Somebody who gets rows, over real HTTP, and checks who they are from as the documentation tells them to. */
import { createHmac, timingSafeEqual } from "node:crypto";

export interface ReceivedRow {
  readonly eventId: string | null;
  readonly text: string;
  readonly row: Readonly<Record<string, unknown>>;
  readonly atS: number;
}

export interface RowReceiver {
  readonly url: string;
  /** Those with the right signature. */
  readonly rows: readonly ReceivedRow[];
  readonly counts: { asked: number; forged: number };
  /** What it answers from now on. */
  status: number;
  /** It answers when this is over. */
  busy: Promise<void>;
  stop(): Promise<void>;
}

export function startRowReceiver(secret: string): RowReceiver {
  const rows: ReceivedRow[] = [];
  const counts = { asked: 0, forged: 0 };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      counts.asked++;
      const text = await request.text();
      const atS = signedAt(secret, request.headers.get("tandem-signature") ?? "", text);
      if (atS === null) {
        counts.forged++;
        return new Response(null, { status: 401 });
      }
      if (receiver.status < 300) {
        const row = JSON.parse(text) as Record<string, unknown>;
        rows.push({ eventId: request.headers.get("tandem-event-id"), text, row, atS });
      }
      await receiver.busy;
      return new Response(null, { status: receiver.status });
    },
  });
  const url = `http://127.0.0.1:${server.port}/rows`;
  const receiver: RowReceiver = {
    url,
    rows,
    counts,
    status: 200,
    busy: Promise.resolve(),
    stop: () => server.stop(true),
  };
  return receiver;
}

/** When it was signed, in seconds; `null`: with another secret, or over another body. */
export function signedAt(secret: string, header: string, body: string): number | null {
  const [, t = "", v1 = ""] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  const expected = createHmac("sha256", secret).update(`${t}.${body}`).digest();
  const given = Buffer.from(v1, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected) ? Number(t) : null;
}
