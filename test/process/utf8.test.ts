import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NotUtf8Error, utf8Chunks, utf8Text } from '../../src/process/utf8.ts';

/** Makes bytes from text and numbers. */
function bytes(...parts: (string | number)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));
}

async function inChunksOf(size: number, all: Buffer): Promise<string> {
  async function* chunks() {
    for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
  }
  let text = '';
  for await (const part of utf8Chunks(chunks())) text += part;
  return text;
}

const BOM = '\uFEFF';

describe('text out of bytes', () => {
  it('text out of bytes is decoded as UTF-8, without its byte order mark, in chunks of any size', async () => {
    const text = 'é€😀\uFFFD\n\uFEFF"x"\r\n';
    for (const all of [bytes(text), bytes(BOM, text)]) {
      assert.equal(utf8Text(all), text);
      for (const size of [1, 2, 3, 5]) assert.equal(await inChunksOf(size, all), text);
    }
    assert.equal(utf8Text(bytes(BOM)), '');
    assert.equal(utf8Text(bytes()), '');
  });

  for (const [what, all, fault] of [
    ['Windows-1252', bytes('a\nRen', 0xe9, 'e,1\n'), 'line 2, byte 4: 0xE9 is not UTF-8; save it as UTF-8'],
    ['a character that is cut off at the end', bytes('a\r\nb', 0xe2, 0x82), 'line 2, byte 2: 0xE2 is not UTF-8'],
    ['a character that another cuts off', bytes('é', 0xe2, 0x82, 'x'), 'line 1, byte 3: 0xE2 is not UTF-8'],
    ['a surrogate', bytes('x', 0xed, 0xa0, 0x80), 'line 1, byte 2: 0xED is not UTF-8'],
    ['two bytes for a slash', bytes('x', 0xc0, 0xaf), 'line 1, byte 2: 0xC0 is not UTF-8'],
    ['MacRoman, with lines that end in CR', bytes('a\rb\rRen', 0x8e, 'e\r'), 'line 3, byte 4: 0x8E is not UTF-8'],
    ['UTF-16 of little end', Buffer.from(`${BOM}a\n`, 'utf16le'), 'line 1, byte 1: 0xFF, as in UTF-16'],
    ['UTF-16 of big end', Buffer.from(`${BOM}a\n`, 'utf16le').swap16(), 'line 1, byte 1: 0xFE, as in UTF-16'],
    ['UTF-16 without a mark', Buffer.from('ab\n', 'utf16le'), 'line 1, byte 2: 0x00, as in UTF-16'],
    [
      'UTF-16 that was appended to UTF-8, as by PowerShell',
      Buffer.concat([bytes('{}\n'), Buffer.from('{}\n', 'utf16le')]),
      'line 2, byte 2: 0x00, as in UTF-16',
    ],
  ] as const) {
    it(`text out of bytes is refused if it is ${what}, with its line and byte, in chunks of any size`, async () => {
      const isFault = (err: unknown) => {
        assert.ok(err instanceof NotUtf8Error);
        assert.equal(err.message.slice(0, fault.length), fault);
        return true;
      };
      assert.throws(() => utf8Text(all), isFault);
      // In UTF-16, later bytes say more than the first one.
      if (!fault.includes('UTF-16')) for (const size of [1, 2, 3]) await assert.rejects(inChunksOf(size, all), isFault);
    });
  }

  it('text out of bytes is refused in a later chunk as well, with the line and byte in the file', async () => {
    const all = bytes(`${'x'.repeat(99)}\r\n`.repeat(3_000), 'Ren', 0xe9, 'e');
    for (const size of [101, 100, 65_536]) {
      await assert.rejects(inChunksOf(size, all), {
        message: 'line 3001, byte 4: 0xE9 is not UTF-8; save it as UTF-8',
      });
    }
  });
});
