/** The codec server program: reads the environment, wires things together, answers until it is told to stop. */
import { once } from 'node:events';
import { createCodecServer } from './codec-server/server.ts';
import { createTokenCheck } from './codec-server/tokens.ts';
import { CODEC_SERVER_SETTINGS, encryptionOf, readSettings, SettingsError } from './config.ts';
import { EncryptionCodec } from './encryption/codec.ts';
import { listen } from './listen.ts';
import { openLog } from './logger.ts';
import { exitOnStopSignal, onStopSignal } from './signals.ts';
import { checkSurroundings } from './surroundings.ts';

const EXIT_BAD_SETTINGS = 2;
/** How long answers under way may take after SIGTERM. */
const STOP_MS = 5_000;

exitOnStopSignal();
const settings = readSettingsOrExit();
const { logger, settled } = await openLog(settings.LOG_LEVEL);

try {
  await run();
  await settled();
  process.exit(0);
} catch (err) {
  logger.fatal({ err }, 'codec server ended');
  await settled();
  process.exit(1);
}

async function run(): Promise<void> {
  const {
    CODEC_SERVER_ADDRESS: address,
    CODEC_SERVER_JWKS_URL: jwksUrl,
    CODEC_SERVER_JWT_ISSUER: issuer,
    CODEC_SERVER_JWT_AUDIENCE: audience,
    CODEC_SERVER_REQUIRED_CLAIM: requiredClaim,
  } = settings;
  const hasTokens = jwksUrl !== undefined && issuer !== undefined && audience !== undefined;
  // Its own namespace is never used: every request names one.
  const codec = new EncryptionCodec(encryptionOf(settings), '');
  const server = createCodecServer({
    codec,
    allowedOrigins: settings.CODEC_SERVER_ALLOWED_ORIGINS,
    ...(hasTokens
      ? { checkToken: createTokenCheck({ jwksUrl, issuer, audience, ...(requiredClaim && { requiredClaim }) }) }
      : {}),
    logger,
  });
  const { host, port } = await listen(server, address);

  const closed = once(server, 'close');
  onStopSignal(
    (signal) => {
      logger.info({ signal }, 'codec server stopping');
      server.close();
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), STOP_MS).unref();
    },
    (signal) => {
      logger.warn({ signal }, 'codec server ended at once');
      process.exit(1);
    },
  );
  logger.info({ host, port, tokens: hasTokens ? 'required' : 'none, on loopback only' }, 'codec server listening');
  await closed;
  logger.info('codec server stopped');
}

function readSettingsOrExit() {
  try {
    checkSurroundings(process.env, (warning) => process.stderr.write(`codec server: ${warning}\n`));
    return readSettings(process.env, CODEC_SERVER_SETTINGS);
  } catch (err) {
    if (!(err instanceof SettingsError)) throw err;
    process.stderr.write(`codec server: ${err.message}\n`);
    process.exit(EXIT_BAD_SETTINGS);
  }
}
