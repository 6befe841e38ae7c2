import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';

/** A good input, new at each call. */
export function sampleInput(): RoleBuildInput {
  return {
    build_body: {
      account_id: '123456789012',
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: 'data-reader',
      dry_run: false,
    },
    ddb_composite_sort_key: 'iam_role#data-reader',
    correlation_id: 'request-1',
    trace_header: 'Root=1-67891233-abcdef012345678912345678',
    url: 'https://builds.example.com/v1',
    encrypted_jwt: 'ciphertext',
  };
}
