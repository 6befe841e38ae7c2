import assert from 'node:assert/strict';

/** Waits for a command's end. If the exit code differs, the failure shows the command's stderr. */
export async function exitsWith<T extends { code: number | null; stderr: string }>(
  code: number,
  command: T | Promise<T>,
): Promise<T> {
  const result = await command;
  assert.equal(result.code, code, result.stderr);
  return result;
}
