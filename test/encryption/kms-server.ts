/** AWS KMS as far as the Encryption SDK uses it, on loopback: what it was asked, and faults when told so. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

interface KmsRequest {
  operation: string;
  keyId: string;
  context: Record<string, string>;
}

interface Body {
  KeyId: string;
  EncryptionContext?: Record<string, string>;
  CiphertextBlob?: string;
}

export interface KmsServer {
  endpoint: string;
  requests: KmsRequest[];
  /** The error that KMS answers with, where one is set. */
  fault: { status: number; type: string } | undefined;
  stop(): Promise<void>;
}

/** @param arns its keys */
export async function startKmsServer(arns: readonly string[]): Promise<KmsServer> {
  const keys = new Map(arns.map((arn) => [arn, randomBytes(32)]));
  const server = createServer();
  const kms: KmsServer = {
    endpoint: '',
    requests: [],
    fault: undefined,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.on('request', (request, response) => {
    void (async () => {
      const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
      const body = (await json(request)) as Body;
      const context = body.EncryptionContext ?? {};
      kms.requests.push({ operation, keyId: body.KeyId, context });
      const answer = (status: number, value: object) =>
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(value));
      if (kms.fault !== undefined) return answer(kms.fault.status, { __type: kms.fault.type, message: 'told so' });
      const key = keys.get(body.KeyId);
      if (key === undefined) return answer(400, { __type: 'NotFoundException', message: 'no such key' });
      const aad = Buffer.from(
        JSON.stringify(
          context,
          Object.keys(context).sort((a, b) => a.localeCompare(b)),
        ),
      );
      if (operation === 'GenerateDataKey') {
        const [plaintext, iv] = [randomBytes(32), randomBytes(12)];
        const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
        const sealed = Buffer.concat([iv, cipher.update(plaintext), cipher.final()]);
        const CiphertextBlob = Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64');
        return answer(200, { KeyId: body.KeyId, Plaintext: plaintext.toString('base64'), CiphertextBlob });
      }
      try {
        const sealed = Buffer.from(body.CiphertextBlob ?? '', 'base64');
        const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(aad);
        decipher.setAuthTag(sealed.subarray(-16));
        const Plaintext = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString(
          'base64',
        );
        return answer(200, { KeyId: body.KeyId, Plaintext });
      } catch {
        return answer(400, { __type: 'InvalidCiphertextException', message: '' });
      }
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  kms.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return kms;
}
