import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  describeFaults,
  INPUT_KEYS,
  INPUT_MAX_BYTES,
  inputFaults,
  parseInput,
} from '../../src/domain/validate-input.ts';
import { anyCharacter } from '../support/hostile-inputs.ts';
import { RULES } from './input-rules.ts';
import { sampleInput } from './sample-input.ts';
import { shown } from './shown.ts';

type Json = Record<string, unknown>;

/** The sample with the value at a path replaced, or left out if `undefined`. */
function inputWith(path: string, value: unknown): Json {
  const input = sampleInput() as unknown as Json;
  const parents = path.split('.');
  const key = parents.pop() as string;
  const holder = parents.reduce((one, parent) => one[parent] as Json, input);
  if (value === undefined) delete holder[key];
  else holder[key] = value;
  return input;
}

function faultsOf(path: string, value: unknown): string[] {
  return inputFaults(inputWith(path, value)).map((fault) => `${fault.path}: ${fault.message}`);
}

describe('an input', () => {
  it('an input passes as the state machine accepts it, and with every key of ours', () => {
    assert.deepEqual(inputFaults(sampleInput()), []);
    const full = {
      ...sampleInput(),
      poll_interval_seconds: 5,
      poll_spread_seconds: 5,
      deadline_seconds: 60,
      requested_by: 'x',
    };
    assert.deepEqual(inputFaults(full), []);
  });

  it('an input is returned unchanged, or with all its faults', () => {
    const input = sampleInput();
    assert.deepEqual(parseInput(input), { input });
    assert.equal((parseInput(input) as { input: unknown }).input, input);
    assert.deepEqual(parseInput({ ...input, url: undefined }), { faults: [{ path: 'url', message: 'is missing' }] });
  });

  it('an input may request a group only with the action create', () => {
    const asking = { ...sampleInput(), directory_group: true };
    assert.deepEqual(inputFaults(asking), []);
    const fault = { path: 'directory_group', message: 'is allowed with the action create only' };
    for (const action of ['delete', 'Create', 'update']) {
      const other = { ...asking, build_body: { ...asking.build_body, action } };
      assert.deepEqual(inputFaults(other), [fault]);
      assert.deepEqual(inputFaults({ ...other, directory_group: false }), []);
    }
  });

  it('an input has a rule here for every key', () => {
    const keys = Object.keys(RULES).filter((path) => !path.includes('.'));
    assert.deepEqual(keys.sort(), [...INPUT_KEYS].sort());
  });

  for (const [path, { passes, refused }] of Object.entries(RULES)) {
    for (const value of passes) {
      it(`an input passes with ${path} ${shown(value)}`, () => assert.deepEqual(faultsOf(path, value), []));
    }
    for (const [message, ...values] of refused) {
      for (const value of values) {
        it(`an input is refused with ${path} ${shown(value)}`, () => {
          const faults = faultsOf(path, value);
          assert.ok(faults.includes(`${path}: ${message}`), faults.join('\n'));
          for (const fault of faults) assert.ok(fault.startsWith(`${path}: `), fault);
        });
      }
    }
  }

  for (const value of [null, undefined, 'text', 1, true, []]) {
    it(`an input is refused if it is ${shown(value)}`, () => {
      const [fault, ...more] = inputFaults(value);
      assert.equal(fault?.path, '(input)');
      assert.match(fault?.message ?? '', /must be a JSON object|is missing/);
      assert.deepEqual(more, []);
    });
  }

  it('an input may have more keys, at the top and in build_body, of any JSON', () => {
    const more = { tags: [{ a: null }, 1.5], 'key with.dots': '', constructor: 1, toString: 2 };
    const input = { ...sampleInput(), ...more };
    Object.assign(input.build_body, more);
    assert.deepEqual(inputFaults(input), []);
  });

  it('an input is refused with every fault at once, each with its path', () => {
    const input = {
      ...sampleInput(),
      url: 'ftp://x?y',
      poll_interval_seconds: 0,
      build_body: { account_id: '1', dry_run: 'no' },
    };
    const faults = inputFaults(input);
    assert.deepEqual(
      faults.map(({ path }) => path),
      [
        'build_body.account_id',
        'build_body.build_type',
        'build_body.action',
        'build_body.custom_role_name',
        'build_body.dry_run',
        'url',
        'poll_interval_seconds',
      ],
    );
    assert.match(
      describeFaults(faults),
      /^build_body\.account_id: must be 12 digits; build_body\.build_type: is missing; /,
    );
  });

  it('an input is refused with every fault of one key', () => {
    assert.deepEqual(faultsOf('url', 'https://user@builds.example.com?a#b'), [
      'url: must not contain credentials',
      'url: must not contain a query',
      'url: must not contain a fragment',
    ]);
  });

  it('an input is refused with a hundred faults, and the number of the rest', () => {
    const faultsAmong = (count: number) => inputFaults(inputWith('numbers', Array(count).fill(1e300)));
    for (const count of [100, 101, 103]) {
      const faults = faultsAmong(count);
      assert.deepEqual(
        faults.slice(0, 100).map(({ path }) => path),
        Array.from({ length: 100 }, (_, i) => `numbers.${i}`),
      );
      const rest = count === 100 ? [] : [{ path: '(input)', message: `has ${count - 100} more faults` }];
      assert.deepEqual(faults.slice(100), rest);
    }
  });

  it('an input is refused with paths that a failure can carry, however long or odd the keys are', () => {
    const pathOf = (key: string) => inputFaults({ ...sampleInput(), [key]: 1e300 }).map(({ path }) => path);
    assert.deepEqual(pathOf('x'.repeat(256)), ['x'.repeat(256)]);
    assert.deepEqual(pathOf('x'.repeat(257)), [`${'x'.repeat(255)}…`]);
    assert.deepEqual(pathOf('half \ud83d of a pair'), ['half \ufffd of a pair']);
  });

  it('an input never has its credential in a fault', () => {
    const credential = 'ciphertext with an umlaut: ü';
    const faults = inputFaults({ ...sampleInput(), encrypted_jwt: credential, url: `https://user:${credential}@x` });
    assert.ok(faults.length >= 2);
    assert.ok(!describeFaults(faults).includes('ciphertext'));
  });
});

describe('what JSON can hide', () => {
  it('a __proto__ key does not replace a missing key', () => {
    const { build_body, url: _, ...rest } = sampleInput();
    const text = JSON.stringify(rest).slice(1);
    const input: unknown = JSON.parse(
      `{"__proto__":{"url":"https://x"},"build_body":{"__proto__":${JSON.stringify(build_body)}},${text}`,
    );
    assert.deepEqual(
      inputFaults(input).map(({ path, message }) => `${path} ${message}`),
      [
        'build_body.account_id is missing',
        'build_body.build_type is missing',
        'build_body.action is missing',
        'build_body.custom_role_name is missing',
        'build_body.dry_run is missing',
        'url is missing',
      ],
    );
  });

  it('a __proto__ key beside a good input harms nothing and stays', () => {
    const text = JSON.stringify(sampleInput()).replace('"account_id"', '"__proto__":{"a":1},"account_id"');
    const input = JSON.parse(text) as Json;
    assert.deepEqual(inputFaults(input), []);
    assert.equal(JSON.stringify(input), text);
    assert.equal(({} as Json)['a'], undefined);
  });

  it('an unsafe integer is refused wherever it is, since it can not be carried exactly', () => {
    const text = JSON.stringify(sampleInput()).replace(
      '"dry_run"',
      '"tags":[{"id":9007199254740993},-1e300],"dry_run"',
    );
    const faults = inputFaults(JSON.parse(text));
    assert.deepEqual(new Set(faults.map(({ path }) => path)), new Set(['build_body.tags.0.id', 'build_body.tags.1']));
    for (const { message } of faults) assert.match(message, /too large/);
    assert.deepEqual(faultsOf('build_body.tags', [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.1, 1e-300]), []);
  });

  it('an unsafe integer hides no other fault, and is named by the rule of its key if there is one', () => {
    const input = { ...sampleInput(), url: 'ftp://x', deadline_seconds: 1e20 };
    const faults = inputFaults({ ...input, build_body: { ...input.build_body, size: 1e20 } });
    const paths = new Set(faults.map(({ path }) => path));
    assert.deepEqual([...paths], ['url', 'deadline_seconds', 'build_body.size']);
    assert.match(faults.find(({ path }) => path === 'deadline_seconds')?.message ?? '', /^must be/);
  });

  it('a number that JavaScript reads as infinity is refused, since it would become null', () => {
    const text = JSON.stringify(sampleInput()).replace('"dry_run"', '"size":1e400,"dry_run"');
    assert.deepEqual(
      inputFaults(JSON.parse(text)).map(({ path }) => path),
      ['build_body.size'],
    );
  });

  for (const [levels, isRefused] of [
    [98, false],
    [99, true],
    [100_000, true],
  ] as const) {
    it(`build_body with ${levels} levels of arrays in it ${isRefused ? 'is refused' : 'passes'}`, () => {
      let nested: unknown = 1;
      for (let level = 0; level < levels; level += 1) nested = [nested, 1];
      const faults = inputFaults(inputWith('build_body.nested', nested));
      assert.equal(faults.length, isRefused ? 1 : 0);
      if (!isRefused) return;
      assert.match(faults[0]?.path ?? '', /^build_body\.nested(\.0)+$/);
      assert.equal(faults[0]?.message, 'is nested more than 100 levels deep');
    });
  }

  it('an input that is too large is refused with its size and the limit', () => {
    const bytes = (input: unknown) => Buffer.byteLength(JSON.stringify(input));
    const room = INPUT_MAX_BYTES - bytes(inputWith('build_body.filler', ''));
    assert.deepEqual(faultsOf('build_body.filler', 'x'.repeat(room)), []);
    assert.deepEqual(faultsOf('build_body.filler', 'x'.repeat(room + 1)), [
      `(input): is ${INPUT_MAX_BYTES + 1} bytes of JSON; at most ${INPUT_MAX_BYTES} are allowed`,
    ]);
    // Bytes, not characters.
    assert.equal(faultsOf('build_body.filler', 'ü'.repeat(room / 2 + 1)).length, 1);
  });
});

for (const path of ['trace_header', 'build_body.action', 'build_body.build_type']) {
  it(`a ${path} that is too large for a record is refused`, () => {
    // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
    assert.equal(faultsOf(path, 'x'.repeat(400 * 1024)).length, 1);
  });
}

describe('the workflow ID', () => {
  const prefixBytes = Buffer.byteLength('role-build:123456789012:');

  it('the workflow ID may have 1,000 bytes', () => {
    assert.deepEqual(faultsOf('ddb_composite_sort_key', 'x'.repeat(1000 - prefixBytes)), []);
    assert.deepEqual(faultsOf('ddb_composite_sort_key', 'ü'.repeat((1000 - prefixBytes) / 2)), []);
  });

  it('the workflow ID is refused with more bytes, and the fault says how many', () => {
    const fault = (bytes: number) => [
      `ddb_composite_sort_key: makes a workflow ID of ${bytes} bytes; at most 1000 are allowed`,
    ];
    assert.deepEqual(faultsOf('ddb_composite_sort_key', 'x'.repeat(1001 - prefixBytes)), fault(1001));
    assert.deepEqual(faultsOf('ddb_composite_sort_key', 'ü'.repeat((1000 - prefixBytes) / 2 + 1)), fault(1002));
  });

  it('the workflow ID is refused if the key is not well-formed text, which Temporal rejects', () => {
    assert.equal(faultsOf('ddb_composite_sort_key', 'a\uD800').length, 1);
  });
});

/** JSON as `JSON.parse` makes it: `__proto__` keys, unsafe integers and all. */
const anyJson = fc.oneof(
  fc.json({ maxDepth: 6 }).map((text) => JSON.parse(text) as unknown),
  fc.bigInt().map((value) => JSON.parse(String(value)) as unknown),
);

/** Good inputs with any value put somewhere. */
const nearlyGood = fc
  .record({
    path: fc.constantFrom(...Object.keys(RULES), 'build_body.more', 'more', 'build_body.__proto__', 'constructor'),
    value: fc.oneof(
      anyJson,
      fc.string({ unit: anyCharacter }),
      // With a query and a fragment it takes a second to generate.
      fc.tuple(fc.webUrl(), fc.constantFrom('', '?q=1', '#part')).map((parts) => parts.join('')),
    ),
  })
  .map(({ path, value }) => {
    const input = inputWith('x', 1);
    const parents = path.split('.');
    const key = parents.pop() as string;
    const holder = parents.reduce((one, parent) => one[parent] as Json, input);
    Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
    return input;
  });

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}

it('whatever JSON it is given, it names faults by path, throws nothing and changes nothing', () => {
  fc.assert(
    fc.property(fc.oneof(anyJson, nearlyGood), (input) => {
      const before = JSON.stringify(input);
      // A change in place would throw: modules run in strict mode.
      const faults = inputFaults(deepFreeze(input));
      assert.equal(JSON.stringify(input), before);
      for (const { path, message } of faults) {
        assert.notEqual(path, '', `a fault without a path: ${message}`);
        assert.notEqual(message, '');
      }
    }),
    { numRuns: 2_000 },
  );
});

it('an input that passes survives JSON unchanged', () => {
  fc.assert(
    fc.property(nearlyGood, (input) => {
      if (inputFaults(input).length > 0) return;
      assert.deepEqual(JSON.parse(JSON.stringify(input)), input);
    }),
    { numRuns: 2_000 },
  );
});
