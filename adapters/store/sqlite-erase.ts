import type { Database } from "bun:sqlite";

/**
 * Runs `work`, which erases, so that the file and its log hold nothing of what it erased: freed pages are overwritten,
 * and the log, whose older frames still have it, is written into the file and cut off. Resolves to whether the log
 * could be: somebody who reads at this moment keeps it.
 */
export async function eraseIn(connection: Database, work: () => Promise<void>): Promise<boolean> {
  connection.run("pragma secure_delete = on");
  try {
    await work();
  } finally {
    connection.run("pragma secure_delete = fast");
  }
  const [checkpoint] = connection.query<{ busy: number }, []>("pragma wal_checkpoint(truncate)").all();
  return checkpoint?.busy === 0;
}
