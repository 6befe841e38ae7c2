import { Writable } from 'node:stream';

/** A stream that keeps what is written to it. */
export function textSink(): { stream: Writable; text(): string } {
  let kept = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      kept += chunk.toString();
      done();
    },
  });
  return { stream, text: () => kept };
}
