import { Writable } from 'node:stream';

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
