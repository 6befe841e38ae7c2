/**
 * For `NODE_OPTIONS`: the program gets a SIGTERM from itself just as it writes that to stdout. One that is sent by who reads
 * it comes too late on a busy machine.
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
