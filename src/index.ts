/** What TypeScript callers import. */
export { startRoleBuild, InvalidInputError, BuildInProgressError, type StartedBuild } from './start-role-build.ts';
export {
  DEFAULT_TASK_QUEUE,
  ROLE_BUILD_WORKFLOW_TYPE,
  searchAttributes,
  workflowIdOf,
  type RoleBuildOutcome,
} from './contract.ts';
export type { BuildBody, RoleBuildInput } from './domain/role-build-input.ts';
export type { ErrorInfo, FailureName } from './domain/failures.ts';
export { createDataConverter } from './encryption/data-converter.ts';
export type { EncryptionSettings, LocalKey } from './config/encryption.ts';
export { PayloadUnreadableError } from './encryption/unreadable.ts';
export { readEncryptionSettings } from './config/settings.ts';
export { inputFaults, type Fault } from './domain/validate-input.ts';
