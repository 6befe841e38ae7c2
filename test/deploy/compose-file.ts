/**
 * Reads docker-compose.yml for the tests. It accepts only the part of the Compose specification that the file uses, so
 * that a misspelt key is refused rather than ignored. https://github.com/compose-spec/compose-spec/blob/main/spec.md
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const duration = z.string().regex(/^(\d+m)?(\d+s)?$/);
const command = z.array(z.string()).min(1);

const service = z.strictObject({
  image: z.string().optional(),
  build: z.strictObject({ context: z.string(), target: z.string() }).optional(),
  profiles: z.array(z.string()).optional(),
  depends_on: z
    .record(z.string(), z.strictObject({ condition: z.enum(['service_healthy', 'service_completed_successfully']) }))
    .default({}),
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string().nullable()).default({}),
  entrypoint: command.optional(),
  command: command.optional(),
  healthcheck: z
    .strictObject({
      test: z.tuple([z.literal('CMD')], z.string()),
      interval: duration,
      timeout: duration,
      retries: z.int().positive(),
    })
    .optional(),
  ports: z.array(z.string()).default([]),
  network_mode: z.literal('host').optional(),
  volumes: z.array(z.string().regex(/^[a-z-]+:\//)).default([]),
  configs: z.array(z.strictObject({ source: z.string(), target: z.string() })).default([]),
  user: z.string().optional(),
  init: z.boolean().default(false),
  read_only: z.boolean().default(false),
  tmpfs: z.array(z.string().regex(/^\/[a-z]+:size=\d+m$/)).default([]),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  restart: z.enum(['on-failure']).optional(),
  stop_grace_period: duration.optional(),
});

const composeFile = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/),
    services: z.record(z.string(), service),
    volumes: z.record(z.string(), z.null()),
    configs: z.record(z.string(), z.strictObject({ content: z.string() })),
  })
  .readonly();

export type ComposeFile = z.infer<typeof composeFile>;
export type ComposeService = z.infer<typeof service>;

export function readComposeFile(): ComposeFile {
  const text = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8');
  const parsed = parse(text, { merge: true }) as Record<string, unknown>;
  const known = Object.entries(parsed).filter(([key]) => !key.startsWith('x-'));
  return composeFile.parse(Object.fromEntries(known));
}

/** Parses a duration such as `1m30s` into seconds. */
export function secondsOf(text: string): number {
  const [, minutes = '0', seconds = '0'] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  return Number(minutes) * 60 + Number(seconds);
}
