import { dirname, join } from "node:path";

/** Where recordings of our own are kept: beside an SQLite file, or in `data` when the database is a server. */
export function recordingsFolder(databaseUrl: string): string {
  const file = /^sqlite:\/\/(.+)$/.exec(databaseUrl)?.[1];
  return join(file === undefined ? "data" : dirname(file), "recordings");
}
