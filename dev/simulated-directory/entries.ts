/** The entries of a simulated directory, and those of Active Directory's rules that an add must obey. */
import { randomBytes } from 'node:crypto';
import { formatDn, keyOf, type DistinguishedName } from './distinguished-names.ts';
import { RESULT, type Result } from './messages.ts';

/** Values by attribute name, in lower case. */
export type Attributes = Map<string, Buffer[]>;

export interface Entry {
  dn: DistinguishedName;
  attributes: Attributes;
}

export type Scope = 'base' | 'one' | 'sub';

/** The maximum length of `cn` in characters. https://learn.microsoft.com/windows/win32/adschema/a-cn */
const CN_MAX = 64;
/** Characters that `sAMAccountName` must not contain: section 3.1.1.8.4 of [MS-SAMR]. */
const FORBIDDEN_IN_ACCOUNT_NAMES = /["/\\[\]:;|=,+*?<>\p{Cc}]|[. ]$/u;
/** A global security group. https://learn.microsoft.com/windows/win32/adschema/a-grouptype */
const GLOBAL_SECURITY_GROUP = '-2147483646';
/** The further classes of an entry of a class. */
const SUPERCLASSES: Readonly<Record<string, readonly string[]>> = {
  user: ['person', 'organizationalPerson'],
};

export class Entries {
  readonly #entries = new Map<string, Entry>();

  #isTaken(attribute: string, value: string): boolean {
    const wanted = value.toLowerCase();
    return [...this.#entries.values()].some(({ attributes }) => textOf(attributes, attribute).toLowerCase() === wanted);
  }

  find(dn: DistinguishedName): Entry | undefined {
    return this.#entries.get(keyOf(dn));
  }

  /** Returns the nearest existing entry above a name. */
  above(dn: DistinguishedName): Entry | undefined {
    for (let up = dn.slice(1); up.length > 0; up = up.slice(1)) {
      const entry = this.find(up);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  search(base: DistinguishedName, scope: Scope): Entry[] {
    const key = keyOf(base);
    return [...this.#entries].flatMap(([own, entry]) => {
      const depth = entry.dn.length - base.length;
      const isIn = own === key || own.endsWith(`,${key}`);
      return isIn && (scope === 'sub' || depth === (scope === 'base' ? 0 : 1)) ? [entry] : [];
    });
  }

  /** Adds an entry if Active Directory would accept it. */
  add(dn: DistinguishedName, given: Attributes): Result {
    const [rdn] = dn;
    const classes = given.get('objectclass')?.map(String) ?? [];
    if (rdn === undefined || classes.length === 0) return { code: RESULT.objectClassViolation };
    if (this.find(dn) !== undefined) {
      return { code: RESULT.entryAlreadyExists, message: '00002071: UpdErr: problem 6005 (ENTRY_EXISTS)' };
    }
    if (rdn.type.toLowerCase() === 'cn' && rdn.value.length > CN_MAX) {
      return { code: RESULT.constraintViolation, message: '00002082: AtrErr: problem 1005 (CONSTRAINT_ATT_TYPE)' };
    }
    const account = textOf(given, 'samaccountname');
    if (account !== '') {
      if (FORBIDDEN_IN_ACCOUNT_NAMES.test(account)) {
        return { code: RESULT.constraintViolation, message: '0000202F: AtrErr: problem 1005 (CONSTRAINT_ATT_TYPE)' };
      }
      if (this.#isTaken('samaccountname', account)) {
        return { code: RESULT.entryAlreadyExists, message: '00000524: UpdErr: problem 6005 (ENTRY_EXISTS)' };
      }
    }
    this.put(dn, given);
    return { code: RESULT.success };
  }

  /** Adds an entry without checking any rule. */
  put(dn: DistinguishedName, given: Attributes): Entry {
    const [rdn = { type: '', value: '' }] = dn;
    const classes = given.get('objectclass')?.map(String) ?? [];
    const all = new Set(['top', ...classes.flatMap((one) => SUPERCLASSES[one.toLowerCase()] ?? []), ...classes]);
    const set = (name: string, value: string) => attributes.set(name, [Buffer.from(value)]);
    const attributes: Attributes = new Map(given);
    attributes.set(
      'objectclass',
      [...all].map((one) => Buffer.from(one)),
    );
    attributes.set('objectguid', [randomBytes(16)]);
    set('distinguishedname', formatDn(dn));
    set('name', rdn.value);
    set(rdn.type.toLowerCase(), rdn.value);
    if (all.has('group') && !given.has('grouptype')) set('grouptype', GLOBAL_SECURITY_GROUP);
    const entry = { dn, attributes };
    this.#entries.set(keyOf(dn), entry);
    return entry;
  }
}

export function textOf(attributes: Attributes, name: string): string {
  return attributes.get(name)?.[0]?.toString('utf8') ?? '';
}

export function attributesOf(values: Readonly<Record<string, string | readonly string[]>>): Attributes {
  return new Map(
    Object.entries(values).map(([name, value]) => [name.toLowerCase(), [value].flat().map((one) => Buffer.from(one))]),
  );
}
