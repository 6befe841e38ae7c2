/** Hostile inputs, through the command line's own reading and checks. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { CliError } from '../../src/cli/errors/cli-error.ts';
import { createOutput, printable } from '../../src/cli/terminal/output.ts';
import { readInput } from '../../src/cli/input/read-input.ts';
import { INPUT_MAX_BYTES, inputFaults } from '../../src/domain/validate-input.ts';
import { textSink } from '../support/text-sink.ts';
import { anyCharacter, faultyInputs, hostileInput, MANY, oversizedInputs, SEED } from '../support/hostile-inputs.ts';

/** All control characters but the newlines between lines. */
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;
const MESSAGE_MAX_CHARACTERS = 64 * 1024;

/** @returns the accepted input or the user's message, and everything that was printed */
async function read(text: string): Promise<{ input?: unknown; message?: string; printed: string }> {
  const { stream, text: printed } = textSink();
  const output = createOutput({ stdout: stream, stderr: stream });
  try {
    const input = await readInput({ input: '-' }, {}, Readable.from([Buffer.from(text)]), output);
    return { input, printed: printed() };
  } catch (err) {
    assert.ok(err instanceof CliError, `a crash: ${String(err)}`);
    assert.equal(err.reason, 'usage');
    output.note(`role-build: ${err.message}`);
    output.json({ error: err.reason, message: err.message, ...err.details.fields });
    return { message: err.message, printed: printed() };
  }
}

function assertPrintable(printed: string): void {
  assert.ok(!CONTROL.test(printed.replaceAll('\n', '')), `control characters: ${JSON.stringify(printed)}`);
  assert.doesNotMatch(printed, /^\s+at \S+ \(/m, 'a stack trace');
}

describe('the command line', () => {
  it(`the command line accepts each of ${MANY} generated inputs, or refuses it with a message that a terminal can show`, async (t) => {
    t.diagnostic(`seed ${SEED}`);
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(hostileInput, async (text) => {
        const { input, message, printed } = await read(text);
        assertPrintable(printed);
        if (message === undefined) {
          taken += 1;
          // Valid, and exactly what JSON.parse returns: the last of two equal keys, and `__proto__` like any other.
          assert.deepEqual(inputFaults(input), []);
          const given = JSON.parse(text) as { build_body: unknown };
          assert.equal(JSON.stringify((input as typeof given).build_body), JSON.stringify(given.build_body));
          return;
        }
        assert.ok(message.length < MESSAGE_MAX_CHARACTERS);
        // One line for each fault: no key can forge another line.
        for (const line of message.split('\n').slice(1)) assert.match(line, /^ {2}.*: \S/);
      }),
      { numRuns: MANY, seed: SEED },
    );
    assert.ok(taken > MANY / 100 && taken < MANY / 2, `${taken} were taken`);
    t.diagnostic(`${taken} taken`);
    assert.equal(({} as Record<string, unknown>)['a'], undefined);
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
  });

  for (const { name, text } of oversizedInputs()) {
    it(`the command line refuses ${name}, and says how large it is`, async () => {
      const { message = '', printed } = await read(text);
      const bytes = Number(/\(input\): is (\d+) bytes of JSON; at most (\d+) are allowed/.exec(message)?.[1]);
      assert.ok(bytes > INPUT_MAX_BYTES, message.slice(0, 300));
      assertPrintable(printed);
    });
  }

  for (const { name, text } of faultyInputs()) {
    it(`the command line refuses ${name} in a message of limited size`, async () => {
      const { message = '', printed } = await read(text);
      assert.match(message, /^the input is not valid:\n/);
      assert.ok(message.length < MESSAGE_MAX_CHARACTERS, `${message.length} characters`);
      assert.ok(message.isWellFormed());
      assertPrintable(printed);
    });
  }

  it('the command line says how many faults it does not list', async () => {
    const text = faultyInputs()[0]?.text ?? '';
    assert.match((await read(text)).message ?? '', /\n {2}\(input\): has 179901 more faults$/);
  });
});

describe('printed text', () => {
  it('printed text has its control characters escaped, also in JSON, whose values stay the same', () => {
    for (let code = 0; code < 0x100; code += 1) {
      const character = String.fromCharCode(code);
      if (character === '\n') continue;
      assert.ok(!CONTROL.test(printable(`a${character}b`)), `U+${code.toString(16)}`);
    }
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: anyCharacter }), (value, text) => {
        const { stream, text: printed } = textSink();
        createOutput({ stdout: stream, stderr: stream }).json({ value, [text]: text });
        const line = printed();
        assert.ok(line.endsWith('\n'));
        assert.ok(!CONTROL.test(line.slice(0, -1)));
        assert.equal(JSON.stringify(JSON.parse(line)), JSON.stringify({ value, [text]: text }));
      }),
      { numRuns: 1_000, seed: SEED },
    );
  });
});
