/** The accounts that can bind to a simulated directory, and what each may add. */
import { keyOf, parseDn, type DistinguishedName } from './distinguished-names.ts';
import { attributesOf, type Entries, type Entry } from './entries.ts';

export interface Account {
  /** A user principal name, which can be used in a bind like a DN. */
  user: string;
  password: string;
}

/** The classes that an account may add, and the name below which it may. Without a right it may add any. */
export interface Right {
  below: DistinguishedName;
  classes: readonly string[];
}

export interface Holder extends Account {
  entry: Entry;
  right: Right | undefined;
}

const ALL_CLASSES = ['computer', 'container', 'group', 'organizationalUnit', 'user'];

export class Accounts {
  readonly #holders: Holder[] = [];
  readonly #entries: Entries;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  /** Adds an account and its entry. */
  add({ user, password }: Account, container: string, right?: Right): void {
    const [name = ''] = user.split('@');
    const attributes = attributesOf({ objectClass: 'user', sAMAccountName: name, userPrincipalName: user });
    const entry = this.#entries.put(parseDn(`CN=${name},${container}`), attributes);
    this.#holders.push({ user, password, entry, right });
  }

  /** @param name a DN, a user principal name, or the account's name after the domain's short name and a backslash */
  bind(name: string, password: string): Holder | undefined {
    const isNamed = ({ user, entry }: Holder) => {
      const names = [user, `CORP\\${user.split('@')[0]}`, keyOf(entry.dn)];
      return names.some((one) => one.toLowerCase() === name.toLowerCase());
    };
    return this.#holders.find((holder) => isNamed(holder) && holder.password === password);
  }
}

/** Returns the value of `allowedChildClassesEffective`. */
export function childClasses(parent: Entry, { right }: Holder): readonly string[] {
  const mayHoldOthers = ['domaindns', 'container', 'organizationalunit'];
  if (!parent.attributes.get('objectclass')?.some((one) => mayHoldOthers.includes(one.toString().toLowerCase())))
    return [];
  if (right === undefined) return ALL_CLASSES;
  const isBelow = `,${keyOf(parent.dn)}`.endsWith(`,${keyOf(right.below)}`);
  return isBelow ? right.classes : [];
}
