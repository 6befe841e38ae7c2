/** How long a worker takes from its start until it polls, with its workflows bundled ahead of time and bundled at start. */
import { IMAGE_ENVIRONMENT, startTemporal, startWorker } from '../measure/contenders.ts';
import { startSurroundings } from '../measure/surroundings.ts';
import { addTo, type Figure, type Row } from './figure.ts';

const PROGRAMS = {
  'bundled ahead': '../../dist/worker.js',
  'bundled at start': '../../src/worker.ts',
  plain: '../peers/plain/worker.ts',
} as const;

export const ready: Figure = {
  name: 'ready',
  title: 'Start of a worker',
  async measure({ quick, progress }) {
    const rounds = quick ? 1 : 10;
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const settings = {
      ...at.settings,
      TEMPORAL_ADDRESS: temporal.address,
      METRICS_ADDRESS: '127.0.0.1:0',
      HEALTH_ADDRESS: '127.0.0.1:0',
    };
    const row: Row = {
      what: 'worker ready to poll after its start',
      unit: 'ms',
      values: {},
      bar: { against: 'bundled at start', is: 'at most', bar: 0.5 },
    };
    // Round 0 fills the file system's cache.
    for (let round = 0; round <= rounds; round += 1) {
      progress(`round ${round} of ${rounds}`);
      for (const [name, program] of Object.entries(PROGRAMS)) {
        const begun = performance.now();
        const worker = await startWorker(program, name === 'plain' ? settings : { ...settings, ...IMAGE_ENVIRONMENT });
        if (round > 0) addTo(row, name, performance.now() - begun);
        await worker.kill();
      }
    }
    await temporal.kill();
    await at.stop();
    return {
      rows: [row],
      notes: [
        '`bundled ahead` is `dist/worker.js`, `bundled at start` is `src/worker.ts`: the same program, from a build and from the sources.',
      ],
    };
  },
};
