import type { Environment } from '../../config/settings.ts';

export type Terminal = ReturnType<typeof terminalOf>;

const DEFAULT_ROWS = 24;

/** Describes where a result goes, which decides how it is shown. */
export function terminalOf(stream: NodeJS.WritableStream, env: Environment) {
  const { isTTY: isTerminal = false } = stream as Partial<NodeJS.WriteStream>;
  return {
    /** Whether a person sees it, and it can be redrawn. */
    isTerminal,
    /** The width; `undefined` if it is not known, as in a pipe. May change while a command runs. */
    get columns() {
      return positive(env['COLUMNS']) ?? (isTerminal ? (stream as NodeJS.WriteStream).columns || undefined : undefined);
    },
    get rows() {
      return positive(env['LINES']) ?? ((stream as Partial<NodeJS.WriteStream>).rows || DEFAULT_ROWS);
    },
    colours: wantsColours(isTerminal, env),
    stream,
  };
}

/** https://no-color.org and https://force-color.org; the first wins, as in most programs. */
function wantsColours(isTerminal: boolean, env: Environment): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced) return forced !== '0' && forced !== 'false';
  return isTerminal && env['TERM'] !== 'dumb';
}

function positive(value: string | undefined): number | undefined {
  return value !== undefined && /^[1-9]\d{0,4}$/.test(value) ? Number(value) : undefined;
}
