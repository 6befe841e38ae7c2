/** The state machine's tables. A module of its own, so that settings and help don't load the AWS SDK. */
export const STATUS_TABLE_NAME = 'iam_orchestrator_execution_status';
export const HISTORY_TABLE_NAME = 'iam_orchestrator_request_history';

/** Index of the history table: an account's requests by their start. `setup` adds it; the state machine's table has none. */
export const HISTORY_INDEX_NAME = 'account_id-start_at';
