/** Databases on the PostgreSQL server that whoever runs the tests names, if they name one. */
import { SQL } from "bun";
import { systemIds } from "../../engine/platform/ids.ts";

/** `TEST_POSTGRES_URL`: of a server on which databases may be made. */
export const postgresUrl = process.env["TEST_POSTGRES_URL"];

export interface ServerDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

export async function makeDatabase(): Promise<ServerDatabase> {
  const name = systemIds.sid("tandem_test_");
  const admin = new SQL(postgresUrl ?? "", { max: 1 });
  await admin.unsafe(`create database ${name}`);
  const at = new URL(postgresUrl ?? "");
  at.pathname = `/${name}`;
  return {
    url: at.href,
    drop: async () => {
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.close();
    },
  };
}
