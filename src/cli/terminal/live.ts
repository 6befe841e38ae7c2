import { createLogUpdate } from 'log-update';
import { coloured, type Output } from './output.ts';

const REDRAW_EVERY_MS = 1_000;
/** Many changes at once are one for the eye. */
const SETTLE_MS = 40;

/** A screen that is redrawn in place. @param render the screen as it is now; an empty one is not drawn */
export function startLive({ terminal }: Pick<Output, 'terminal'>, render: () => string) {
  const update = createLogUpdate(terminal.stream);
  let soon: NodeJS.Timeout | undefined;
  const draw = () => {
    clearTimeout(soon);
    soon = undefined;
    const screen = render();
    if (screen !== '') update(coloured(screen));
  };
  const timer = setInterval(draw, REDRAW_EVERY_MS);
  let stopped = false;
  const end = (last: () => void) => {
    if (stopped) return;
    stopped = true;
    clearInterval(timer);
    clearTimeout(soon);
    last();
    update.done();
  };
  return {
    /** Draws a change. It is redrawn once a second in any case, since times are relative. */
    draw: () => void (soon ??= setTimeout(draw, SETTLE_MS)),
    /** Leaves it as it is. */
    stop: () => end(draw),
    /** Stops and takes it away, to make room for what is to stay. */
    clear: () => end(update.clear),
  };
}
