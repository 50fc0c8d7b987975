/** A process that verifies one log: what is expected and then the entries, a line each, on standard input. */
import type { Expected } from "../audit/check.ts";
import { yieldToCalls } from "../platform/apart.ts";
import { verify } from "./verify.ts";

yieldToCalls();
const [first = "{}", ...lines] = (await Bun.stdin.text()).split("\n");
process.stdout.write(JSON.stringify(verify(JSON.parse(first) as Expected, lines)));
