import { randomBytes } from 'node:crypto';
import type { LocalKey } from '../../src/config/encryption.ts';

export function newKey(name: string): LocalKey {
  return { name, key: new Uint8Array(randomBytes(32)) };
}

/** Formats keys as in `ENCRYPTION_KEYS`. */
export function keysText(...keys: readonly LocalKey[]): string {
  return keys.map(({ name, key }) => `${name}:${Buffer.from(key).toString('base64')}`).join(',');
}
