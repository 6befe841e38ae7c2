/** AWS KMS on loopback, with the operations that payloads need. It keeps its requests and injects faults. */
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

/** An error, an answer of another key, an answer that does not end, or no answer. */
type Fault = ({ status: number; type: string } | { answersAs: string } | { stalls: true } | { hangs: true }) & {
  /** Limits the fault to requests for these keys. */
  keyId?: string;
  operation?: 'GenerateDataKey' | 'Decrypt';
  /** How many requests have the fault; all by default. */
  times?: number;
};

export interface KmsServer {
  endpoint: string;
  requests: KmsRequest[];
  fault: Fault | undefined;
  stop(): Promise<void>;
}

/** @param arns its keys; those of one multi-Region key are the same key */
export async function startKmsServer(arns: readonly string[]): Promise<KmsServer> {
  const material = new Map(arns.map((arn) => [arn.split('/')[1], randomBytes(32)]));
  /** KMS knows only the keys of its own region. */
  const keyOf = (arn: string, region: string | undefined) =>
    arns.includes(arn) && arn.split(':')[3] === region ? material.get(arn.split('/')[1]) : undefined;
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
  /** Returns the fault for a request. */
  const faultFor = ({ operation, keyId }: KmsRequest): Fault | undefined => {
    const { fault } = kms;
    if (fault === undefined || (fault.operation ?? operation) !== operation || (fault.keyId ?? keyId) !== keyId) {
      return undefined;
    }
    if (fault.times !== undefined && --fault.times === 0) kms.fault = undefined;
    return fault;
  };
  server.on('request', (request, response) => {
    void (async () => {
      const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
      const body = (await json(request)) as Body;
      const context = body.EncryptionContext ?? {};
      const asked = { operation, keyId: body.KeyId, context };
      kms.requests.push(asked);
      const fault = faultFor(asked);
      const answer = (status: number, value: object) =>
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(value));
      if (fault !== undefined && 'hangs' in fault) return;
      if (fault !== undefined && 'stalls' in fault) return response.writeHead(200).write('{');
      if (fault !== undefined && 'status' in fault)
        return answer(fault.status, { __type: fault.type, message: 'told so' });
      const KeyId = fault?.answersAs ?? body.KeyId;
      const region = /Credential=[^/]+\/\d+\/([^/]+)\/kms\//.exec(request.headers.authorization ?? '')?.[1];
      const key = keyOf(body.KeyId, region);
      if (key === undefined) return answer(400, { __type: 'NotFoundException', message: 'no such key' });
      const aad = Buffer.from(JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))));
      if (operation === 'GenerateDataKey') {
        const [plaintext, iv] = [randomBytes(32), randomBytes(12)];
        const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
        const sealed = Buffer.concat([iv, cipher.update(plaintext), cipher.final()]);
        const CiphertextBlob = Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64');
        return answer(200, { KeyId, Plaintext: plaintext.toString('base64'), CiphertextBlob });
      }
      try {
        const sealed = Buffer.from(body.CiphertextBlob ?? '', 'base64');
        const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(aad);
        decipher.setAuthTag(sealed.subarray(-16));
        const Plaintext = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString(
          'base64',
        );
        return answer(200, { KeyId, Plaintext });
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
