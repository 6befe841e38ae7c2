/** A build API over TLS, and proxies on the way to it. */
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { after, before, type TestContext } from 'node:test';
import { createAuthority, type Authority, type Certificate } from '../../dev/servers/certificates.ts';
import { clientOf, failureOf, post, serveRaw } from './client-fixture.ts';

const trusted = tls.getCACertificates('default');
export let authority: Authority;

/** TLS with an authority that this process trusts for the test. */
export function useAuthority(): void {
  before(() => {
    authority = createAuthority('Build API test CA');
    tls.setDefaultCACertificates([...trusted, authority.cert]);
  });
  after(() => tls.setDefaultCACertificates(trusted));
}

export const answerYes: RequestListener = (_, res) => void res.end('{"build_id":"b-1"}');
export const cut: RequestListener = (_, res) => void res.socket?.destroy();
export const hang: RequestListener = () => {};

export async function listen(t: TestContext, server: http.Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A build API over TLS that reads each request to its end before it does anything. */
export async function secureApi(
  t: TestContext,
  behave: RequestListener,
  certificate: Certificate = authority.issue('build API', ['127.0.0.1']),
): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = [];
  const server = https.createServer(certificate, (req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      bodies.push(body);
      behave(req, res);
    });
  });
  return { url: `https://127.0.0.1:${await listen(t, server)}`, bodies };
}

interface Proxy {
  url: string;
  /** The requests that it got, in order. */
  asked: string[];
}

/** @param onTunnel handles a tunnel; joins both ends by default */
export async function tunnelProxy(
  t: TestContext,
  onTunnel: (client: net.Socket, behind: net.Socket) => void = (client, behind) =>
    void client.pipe(behind).pipe(client),
  delayMs = 0,
): Promise<Proxy> {
  const asked: string[] = [];
  const server = http.createServer((_, res) => void res.writeHead(405).end());
  server.on('connect', ({ url = '' }, stream) => {
    const client = stream as net.Socket;
    asked.push(url);
    const [host, port] = url.split(':') as [string, string];
    const open = () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onTunnel(client, behind);
    };
    const behind = net.connect(Number(port), host, () => void setTimeout(open, delayMs));
    for (const socket of [client, behind]) {
      socket.on('error', () => {});
      t.after(() => void socket.destroy());
    }
    client.on('close', () => void behind.destroy());
    behind.on('close', () => void client.destroy());
  });
  return { url: `http://127.0.0.1:${await listen(t, server)}`, asked };
}

/** @param reply its answer to CONNECT, if any */
export async function proxyThatSays(t: TestContext, reply: string, { ends = true } = {}): Promise<Proxy> {
  const asked: string[] = [];
  const address = await serveRaw(t, (socket) =>
    socket.once('data', (data) => {
      asked.push(String(data).split(' ')[1] ?? '');
      socket.write(reply);
      if (ends) socket.end();
    }),
  );
  return { url: `http://${address}`, asked };
}

export async function outcomeOf(
  api: string,
  options: { proxy?: string; timeoutMs?: number },
): Promise<[boolean, boolean, string]> {
  const client = clientOf({ origins: [api], ...options });
  const { retryable, unanswered, message } = await failureOf(post(client, api));
  return [retryable, unanswered, message];
}
