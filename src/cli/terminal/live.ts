import { createLogUpdate } from 'log-update';
import { coloured, type Output } from './output.ts';

const REDRAW_EVERY_MS = 1_000;
/** Changes within this time are drawn together. */
const SETTLE_MS = 40;

/** Draws a screen that is updated in place. @param render returns the current screen; an empty one is not drawn */
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
    /** Draws a change. The screen is also redrawn every second, because times are relative. */
    draw: () => void (soon ??= setTimeout(draw, SETTLE_MS)),
    /** Stops, and leaves the screen as it is. */
    stop: () => end(draw),
    /** Stops and removes the screen, to make room for lasting output. */
    clear: () => end(update.clear),
  };
}
