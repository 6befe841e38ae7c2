/** For `node --import`: prints every module that the program has loaded to stderr at its end, for {@link loadedIn}. */
import { registerHooks } from 'node:module';

const MARK = 'LOADED ';

/** Returns the URLs of modules in the stderr of a program that preloaded this file. */
export function loadedIn(stderr: string): string[] {
  const line = stderr.split('\n').findLast((one) => one.startsWith(MARK));
  if (line === undefined) throw new Error(`no list of loaded modules in:\n${stderr}`);
  return JSON.parse(line.slice(MARK.length)) as string[];
}

if (process.execArgv.includes(import.meta.url) || process.env['NODE_OPTIONS']?.includes(import.meta.url) === true) {
  const urls: string[] = [];
  registerHooks({
    load: (url, context, next) => {
      urls.push(url);
      return next(url, context);
    },
  });
  process.on('exit', () => process.stderr.write(`\n${MARK}${JSON.stringify(urls)}\n`));
}
