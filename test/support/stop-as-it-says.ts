/**
 * Returns `NODE_OPTIONS` with which a program sends itself a SIGTERM when it writes `text` to stdout. A signal that the
 * reader of the output sends would come too late on a busy machine.
 */
export function stopAsItSays(text: string): string {
  const preload = `
    const { stdout } = process;
    const { write } = stdout;
    stdout.write = (text, ...more) => {
      const isTaken = write.call(stdout, text, ...more);
      if (text.includes(${JSON.stringify(text)})) process.kill(process.pid, 'SIGTERM');
      return isTaken;
    };
  `;
  return `--import data:text/javascript,${encodeURIComponent(preload)}`;
}
