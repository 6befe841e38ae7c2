/** @returns `undefined` in place of an expected failure */
export function undefinedIf<T>(isExpected: (err: unknown) => boolean, waited: Promise<T>): Promise<T | undefined> {
  return waited.catch((err: unknown) => {
    if (!isExpected(err)) throw err;
    return undefined;
  });
}
