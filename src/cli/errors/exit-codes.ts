/** Every exit code with its meaning; `--help` and the docs print this table. */
export const EXIT_CODES = {
  done: { code: 0, meaning: 'done' },
  endedOtherwise: {
    code: 1,
    meaning:
      'the build did not end as requested (start --wait, watch: not COMPLETE; cancel --wait: not CANCELLED); batch: any failed or refused; doctor: findings are left; setup: search attributes are left for somebody else to register',
  },
  usage: { code: 2, meaning: 'bad usage or input' },
  inProgress: { code: 3, meaning: 'already in progress' },
  notFound: { code: 4, meaning: 'not found (cancel: nothing running; resume: nothing to resume)' },
  unreachable: { code: 5, meaning: "a service can't be reached or refused; the result can't be written" },
  internal: { code: 70, meaning: 'internal error (a fault in role-build, with its stack)' },
  interrupted: { code: 130, meaning: 'interrupted; the build goes on' },
} as const satisfies Record<string, { code: number; meaning: string }>;

export type ExitReason = keyof typeof EXIT_CODES;
