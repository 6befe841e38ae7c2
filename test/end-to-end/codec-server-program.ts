/** The codec server as a process, and an identity provider that signs tokens for it. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { startProgram, type Program } from '../deploy/program.ts';
import type { Certificate } from '../../dev/servers/certificates.ts';

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../src/codec-server.ts', import.meta.url));

export const UI = 'http://ui.example:8233';

export interface RunningCodecServer extends Program {
  url: string;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** Starts `codec-server` without waiting for it. */
export function codecServer(env: Record<string, string>): Program {
  return startProgram([PROGRAM], { cwd: CHECKOUT, env: { CODEC_SERVER_ADDRESS: '127.0.0.1:0', ...env } });
}

/** Starts the codec server on a free port of loopback; resolves once it listens. */
export async function startCodecServer(env: Record<string, string>): Promise<RunningCodecServer> {
  const program = codecServer({ CODEC_SERVER_ALLOWED_ORIGINS: UI, ...env });
  const line = JSON.parse(await program.lineWith('codec server listening')) as { port: number };
  const url = `http://127.0.0.1:${line.port}`;
  return {
    ...program,
    url,
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-namespace': 'default', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}

export const ISSUER = 'https://login.example.com/';
export const AUDIENCE = 'codec-server';

export interface IdentityProvider {
  settings: Record<string, string>;
  /** The public key as PEM, which anybody can have. */
  publicPem: string;
  token(
    claims?: JWTPayload,
    more?: { issuer?: string; audience?: string; expires?: string; alg?: string },
  ): Promise<string>;
  stop(): Promise<void>;
}

/** An identity provider on loopback. @param certificate its certificate, for https */
export async function startIdentityProvider(certificate?: Certificate): Promise<IdentityProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', use: 'sig' };
  const answer: RequestListener = (_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [jwk] }));
  const server = certificate === undefined ? createServer(answer) : https.createServer(certificate, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    settings: {
      CODEC_SERVER_JWKS_URL: `http${certificate === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
      CODEC_SERVER_JWT_ISSUER: ISSUER,
      CODEC_SERVER_JWT_AUDIENCE: AUDIENCE,
    },
    publicPem: await exportSPKI(publicKey),
    token: (claims = {}, { issuer = ISSUER, audience = AUDIENCE, expires = '5 minutes', alg = 'RS256' } = {}) =>
      new SignJWT({ sub: 'someone@example.com', ...claims })
        .setProtectedHeader({ alg, kid: 'one' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime(expires)
        .sign(privateKey),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
