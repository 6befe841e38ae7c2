/** The accounts of the tests: an administrator, the worker's account, and one that may only read. */
import type { Account } from '../../dev/simulated-directory/accounts.ts';

export const ADMINISTRATOR: Account = { user: 'Administrator@corp.example.com', password: 'Administrators-own-1' };
export const SERVICE_ACCOUNT: Account = { user: 'svc-iam@corp.example.com', password: 'Services-own-1' };
export const OTHER_ACCOUNT: Account = { user: 'svc-other@corp.example.com', password: 'Others-own-1' };
