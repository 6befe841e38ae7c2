import { fstatSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Errors of a write after the reader has closed the pipe, as `head` does, or has ended. */
const READER_GONE: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET']);

/**
 * stdout or stderr. A failed write throws nothing and ends nothing; {@link failure} has its error. Later texts are
 * still tried if each one is useful without the others (`maxHeldBytes`), and dropped otherwise.
 */
export class StandardStream {
  readonly stream: NodeJS.WritableStream;
  /** The error of the first write that failed. A reader that is gone is not a failure. */
  failure: NodeJS.ErrnoException | undefined;
  isReaderGone = false;
  /** Called with the number of dropped texts, once there is room again. */
  onRoomAgain: (left: number) => void = () => {};
  #left = 0;
  readonly #maxHeldBytes: number | undefined;
  /** Set for a regular file: if the system takes only part of a text, Node.js's own stream loses the rest. */
  readonly #fileDescriptor: number | undefined;
  #last = Promise.resolve();

  /** @param maxHeldBytes the most to buffer for a slow reader; later texts are dropped. By default there is no limit */
  constructor(stream: NodeJS.WritableStream, maxHeldBytes?: number) {
    this.stream = stream;
    this.#maxHeldBytes = maxHeldBytes;
    this.#fileDescriptor = regularFileOf(stream);
    // Without a listener, an error event would end the program.
    stream.on('error', (err) => this.#failed(err));
  }

  write(text: string): void {
    const isOver = this.isReaderGone || (this.#maxHeldBytes === undefined && this.failure !== undefined);
    if (isOver) return;
    const { writableLength = 0 } = this.stream as Partial<NodeJS.WriteStream>;
    if (this.#maxHeldBytes !== undefined && writableLength > this.#maxHeldBytes) {
      this.#left += 1;
      return;
    }
    if (this.#left > 0) {
      const left = this.#left;
      this.#left = 0;
      this.onRoomAgain(left);
    }
    if (this.#fileDescriptor !== undefined) return this.#writeToFile(this.#fileDescriptor, text);
    this.#last = new Promise((resolve) => {
      this.stream.write(text, (err) => {
        if (err) this.#failed(err);
        resolve();
      });
    });
  }

  /** Resolves once the reader has taken enough for more to be written. */
  async drained(): Promise<void> {
    if ((this.stream as Partial<NodeJS.WriteStream>).writableNeedDrain === true) await this.#last;
  }

  /** Resolves once all is written, once a write has failed, or after this many milliseconds. */
  async settled(withinMs?: number): Promise<void> {
    await (withinMs === undefined
      ? this.#last
      : Promise.race([this.#last, delay(withinMs, undefined, { ref: false })]));
  }

  #writeToFile(fd: number, text: string): void {
    try {
      for (let rest = Buffer.from(text); rest.length > 0;) rest = rest.subarray(writeSync(fd, rest));
    } catch (err) {
      this.#failed(err as NodeJS.ErrnoException);
    }
  }

  #failed(err: NodeJS.ErrnoException): void {
    if (READER_GONE.has(err.code)) this.isReaderGone = true;
    else this.failure ??= err;
  }
}

function regularFileOf(stream: NodeJS.WritableStream): number | undefined {
  const { fd } = stream as { fd?: number };
  try {
    return fd !== undefined && fstatSync(fd).isFile() ? fd : undefined;
  } catch {
    return undefined;
  }
}
