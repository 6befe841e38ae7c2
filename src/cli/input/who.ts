import { hostname, userInfo } from 'node:os';

/** Returns who runs the command line: `user@host`. */
export function whoAmI(): string {
  let user = 'unknown';
  try {
    user = userInfo().username;
  } catch {
    // A container may run under a user ID that has no name.
  }
  return `${user}@${hostname()}`.slice(0, 256);
}
