import { fstatSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Error codes of a write whose reader has closed the pipe, as `head` does, or is gone. */
const READER_GONE: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET']);

/**
 * stdout or stderr. A write that fails throws nothing and ends nothing: {@link failure} tells of it, and what is written after it
 * is tried only if each text stands for itself (`maxHeldBytes`).
 */
export class StandardStream {
  readonly stream: NodeJS.WritableStream;
  /** Why the first write that failed did; that the reader is gone is no failure. */
  failure: NodeJS.ErrnoException | undefined;
  /** Nobody reads any more. */
  isReaderGone = false;
  /** Called with how many texts were left out, once there is room for the next. */
  onRoomAgain: (left: number) => void = () => {};
  #left = 0;
  readonly #maxHeldBytes: number | undefined;
  /** Of a regular file. Node.js's own stream for one loses the rest when the system takes a part of a text. */
  readonly #fileDescriptor: number | undefined;
  #last = Promise.resolve();

  /** @param maxHeldBytes to hold for a reader that does not take them; by default all. A text beyond them is left out */
  constructor(stream: NodeJS.WritableStream, maxHeldBytes?: number) {
    this.stream = stream;
    this.#maxHeldBytes = maxHeldBytes;
    this.#fileDescriptor = regularFileOf(stream);
    // An error that nobody listens for would end the program.
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

  /** Resolves once a reader has taken enough for more to be written. */
  async drained(): Promise<void> {
    if ((this.stream as Partial<NodeJS.WriteStream>).writableNeedDrain === true) await this.#last;
  }

  /** Resolves once all has been written, or can't be, or after so many milliseconds. */
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
