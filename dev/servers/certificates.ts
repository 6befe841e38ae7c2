/** Creates X.509 certificates in-process, so that tests need no tool for them and no committed certificate expires. */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  cert: string;
  /** PEM. */
  key: string;
}

export interface Authority extends Certificate {
  /**
   * Issues a certificate for a server with these names and addresses, and for a client.
   *
   * @param validUntilMs epoch milliseconds; by default one day from now
   */
  issue(commonName: string, names?: readonly string[], validUntilMs?: number): Certificate;
}

export function createAuthority(commonName: string): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = { name: commonName, publicKey, issuer: commonName, issuerKey: privateKey };
  return {
    cert: certificate({ ...own, extensions: [BASIC_CONSTRAINTS_OF_AN_AUTHORITY] }, Date.now() + DAY_MS),
    key: pemOf(privateKey),
    issue(name, names = [], validUntilMs = Date.now() + DAY_MS) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const extensions = names.length === 0 ? [] : [alternativeNames(names)];
      const signed = { name, publicKey: pair.publicKey, issuer: commonName, issuerKey: privateKey, extensions };
      return { cert: certificate(signed, validUntilMs), key: pemOf(pair.privateKey) };
    },
  };
}

// The rest encodes certificates in DER: https://www.rfc-editor.org/rfc/rfc5280#section-4.1

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utc: 0x17,
  sequence: 0x30,
  set: 0x31,
};
/** https://www.rfc-editor.org/rfc/rfc5758#section-3.2 */
const ECDSA_WITH_SHA256 = der(TAG.sequence, der(TAG.oid, Buffer.from('2a8648ce3d040302', 'hex')));
const COMMON_NAME = der(TAG.oid, Buffer.from('550403', 'hex'));
const TRUE = der(TAG.boolean, Buffer.from([0xff]));
const BASIC_CONSTRAINTS_OF_AN_AUTHORITY = der(
  TAG.sequence,
  der(TAG.oid, Buffer.from('551d13', 'hex')),
  TRUE,
  der(TAG.octets, der(TAG.sequence, TRUE)),
);
const DAY_MS = 24 * 60 * 60 * 1000;

interface Signed {
  name: string;
  publicKey: KeyObject;
  issuer: string;
  issuerKey: KeyObject;
  extensions: readonly Buffer[];
}

function certificate({ name, publicKey, issuer, issuerKey, extensions }: Signed, validUntilMs: number): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const toBeSigned = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    ECDSA_WITH_SHA256,
    distinguishedName(issuer),
    der(TAG.sequence, utcTime(Date.now() - DAY_MS), utcTime(validUntilMs)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, der(TAG.sequence, ...extensions))]),
  );
  const signature = der(TAG.bits, Buffer.from([0]), sign('sha256', toBeSigned, issuerKey));
  const base64 = der(TAG.sequence, toBeSigned, ECDSA_WITH_SHA256, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Encodes DNS names and IPv4 addresses. */
function alternativeNames(names: readonly string[]): Buffer {
  const each = names.map((name) =>
    /^[\d.]+$/.test(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name)),
  );
  return der(TAG.sequence, der(TAG.oid, Buffer.from('551d11', 'hex')), der(TAG.octets, der(TAG.sequence, ...each)));
}

function distinguishedName(commonName: string): Buffer {
  const attribute = der(TAG.sequence, COMMON_NAME, der(TAG.utf8, Buffer.from(commonName)));
  return der(TAG.sequence, der(TAG.set, attribute));
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14);
  return der(TAG.utc, Buffer.from(`${digits}Z`));
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function pemOf(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}
