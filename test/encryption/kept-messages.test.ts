import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { EncryptionCodec } from '../../src/encryption/codec.ts';
import { KeptMessages, MAX_AGE_MS } from '../../src/encryption/kept-messages.ts';

const HELLO = Buffer.from('hello');

const textOf = (message: Uint8Array) => Buffer.from(message).toString();

/** What makes upper case of a message and counts how often it was asked. */
function maker() {
  const made = {
    count: 0,
    make: (message: Uint8Array): Promise<Uint8Array> => {
      made.count += 1;
      return Promise.resolve(Buffer.from(Buffer.from(message).toString().toUpperCase()));
    },
  };
  return made;
}

describe('messages that are kept', () => {
  it('are made once', async () => {
    const kept = new KeptMessages();
    const made = maker();
    for (let i = 0; i < 3; i += 1) {
      assert.equal(textOf(await kept.decrypted('a', HELLO, made.make)), 'HELLO');
    }
    assert.equal(made.count, 1);
  });

  it('are known to come of what was made of them, for as long, and are given out once where that is all', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] });
    const kept = new KeptMessages();
    const [encrypting, decrypting] = [maker(), maker()];
    const ciphertext = await kept.encrypted('a', HELLO, encrypting.make);
    assert.equal(textOf(ciphertext), 'HELLO');
    for (let i = 0; i < 2; i += 1) {
      assert.equal(textOf(await kept.decrypted('a', ciphertext, decrypting.make)), 'hello');
    }
    for (let i = 0; i < 2; i += 1) {
      // Encrypted again, it is handed over again.
      assert.equal(await kept.encrypted('a', HELLO, encrypting.make), ciphertext);
      assert.equal(textOf(await kept.decryptedOnce('a', ciphertext, decrypting.make)), 'hello');
    }
    assert.deepEqual([encrypting.count, decrypting.count], [1, 0]);
    assert.equal(textOf(await kept.decryptedOnce('a', ciphertext, decrypting.make)), 'HELLO');
    t.mock.timers.tick(MAX_AGE_MS - 1);
    await kept.encrypted('a', HELLO, encrypting.make);
    assert.deepEqual([encrypting.count, decrypting.count], [1, 1]);
    await kept.decrypted('b', ciphertext, decrypting.make);
    assert.equal(decrypting.count, 2);
    // Handed over again, it is no younger.
    t.mock.timers.tick(1);
    await kept.decryptedOnce('a', ciphertext, decrypting.make);
    await kept.decrypted('a', ciphertext, decrypting.make);
    assert.deepEqual([encrypting.count, decrypting.count], [1, 4]);
  });

  it('are others in another place, and others encrypted than decrypted', async () => {
    const kept = new KeptMessages();
    const made = maker();
    await kept.decrypted('a', HELLO, made.make);
    await kept.decrypted('b', HELLO, made.make);
    await kept.encrypted('a', HELLO, made.make);
    assert.equal(made.count, 3);
  });

  it('are made anew after five minutes, as long as a data key is used', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] });
    const kept = new KeptMessages();
    const made = maker();
    await kept.decrypted('a', HELLO, made.make);
    t.mock.timers.tick(MAX_AGE_MS - 1);
    await kept.decrypted('a', HELLO, made.make);
    assert.equal(made.count, 1);
    t.mock.timers.tick(1);
    await kept.decrypted('a', HELLO, made.make);
    assert.equal(made.count, 2);
    assert.equal(MAX_AGE_MS, 300_000);
  });

  it('are forgotten, those used least first, where they get too many', async () => {
    const kept = new KeptMessages();
    const made = maker();
    const large = (n: number) => Buffer.alloc(8_000, `${n};`);
    await kept.decrypted('a', HELLO, made.make);
    for (let n = 0; n < 10_000; n += 1) {
      await kept.decrypted('a', large(n), made.make);
      if (n % 1_000 === 0) await kept.decrypted('a', HELLO, made.make);
    }
    assert.equal(made.count, 10_001);
    await kept.decrypted('a', large(9_999), made.make);
    assert.equal(made.count, 10_001);
    await kept.decrypted('a', large(0), made.make);
    assert.equal(made.count, 10_002);
  });

  it('are no large ones, and no failures', async () => {
    const kept = new KeptMessages();
    const made = maker();
    const large = Buffer.alloc(8_193);
    for (let i = 0; i < 2; i += 1) await kept.decrypted('a', large, made.make);
    for (let i = 0; i < 2; i += 1) await kept.encrypted('a', large, made.make);
    assert.equal(made.count, 4);
    await assert.rejects(
      kept.decrypted('a', HELLO, () => Promise.reject(new Error('no'))),
      /no/,
    );
    await kept.decrypted('a', HELLO, made.make);
    assert.equal(made.count, 5);
  });
});

describe('the codec', () => {
  const localKeys = [{ name: 'test', key: new Uint8Array(randomBytes(32)) }];
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"x"') };
  const of = (workflowId: string) => ({ type: 'workflow' as const, namespace: 'default', workflowId });

  it('gives the same ciphertext for the same payload of a workflow, and another in another workflow', async () => {
    const codec = new EncryptionCodec({ localKeys }, 'default');
    const [once] = await codec.encode([payload], of('a'));
    const [twice] = await codec.encode([payload], of('a'));
    assert.deepEqual(twice, once);
    const [elsewhere] = await codec.encode([payload], of('b'));
    assert.notDeepEqual(elsewhere?.data, once?.data);
  });

  it('refuses in another workflow what it has just read in its own', async () => {
    const codec = new EncryptionCodec({ localKeys }, 'default');
    const encoded = await codec.encode([payload], of('a'));
    const [read] = await codec.decode(encoded, of('a'));
    assert.equal(Buffer.from(read?.data ?? []).toString(), '"x"');
    await assert.rejects(codec.decode(encoded, of('b')), /encrypted for another workflow/);
    await codec.decode(encoded, of('a'));
  });
});
