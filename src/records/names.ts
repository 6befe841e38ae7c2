/** The original's tables. Apart, so that settings and help can name them without loading the AWS SDK. */
export const STATUS_TABLE_NAME = 'iam_orchestrator_execution_status';
export const HISTORY_TABLE_NAME = 'iam_orchestrator_request_history';
