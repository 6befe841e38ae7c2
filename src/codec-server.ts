/** The codec server program: reads the environment, wires things together, answers until it is stopped. */
import { addAbortListener, once } from 'node:events';
import { createCodecServer } from './codec-server/server.ts';
import { createTokenCheck } from './codec-server/tokens.ts';
import { CODEC_SERVER_SETTINGS, encryptionOf, readSettings } from './config/settings.ts';
import { settingsOrExit } from './config/surroundings.ts';
import { EncryptionCodec } from './encryption/codec.ts';
import { listen } from './process/listen.ts';
import { runProgram } from './process/program.ts';
import { exitOnStopSignal } from './process/signals.ts';

/** How long answers under way may take after SIGTERM. */
const STOP_MS = 5_000;

exitOnStopSignal();
const settings = settingsOrExit('codec server', process.env, () => readSettings(process.env, CODEC_SERVER_SETTINGS));

await runProgram('codec server', settings.LOG_LEVEL, async (logger, stop) => {
  const checkToken = createTokenCheck(settings);
  const server = createCodecServer({
    // The codec's own namespace is never used, because every request names one.
    codec: new EncryptionCodec(encryptionOf(settings), ''),
    allowedOrigins: settings.CODEC_SERVER_ALLOWED_ORIGINS,
    checkToken,
    logger,
  });
  const { host, port } = await listen(server, settings.CODEC_SERVER_ADDRESS);
  const closed = once(server, 'close');
  addAbortListener(stop, () => {
    server.close();
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), STOP_MS).unref();
  });
  logger.info({ host, port, tokens: checkToken ? 'required' : 'none, on loopback only' }, 'codec server listening');
  await closed;
});
