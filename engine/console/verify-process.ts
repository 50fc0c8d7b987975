/** A process that verifies one log: what is expected and then the entries, a line each, on standard input. */
import { getPriority, setPriority } from "node:os";
import type { Expected } from "../audit/check.ts";
import { verify } from "./verify.ts";

/** Calls go first. */
const NICE = 10;

setPriority(Math.max(getPriority(), NICE));
const [first = "{}", ...lines] = (await Bun.stdin.text()).split("\n");
process.stdout.write(JSON.stringify(verify(JSON.parse(first) as Expected, lines)));
