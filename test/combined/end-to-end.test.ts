// Imported here, so that it stops the stack after the last file and not after the first.
import '../end-to-end/one-stack/one-stack.ts';
import { loadTests } from './load.ts';

loadTests(['end-to-end/one-stack/*.test.ts']);
