/** Types of the parts of the interpreter that we use, so that `npm run check` works without the bench's packages. */
declare module 'aws-local-stepfunctions' {
  export type JSONValue = null | boolean | number | string | JSONValue[] | { [key: string]: JSONValue };

  export class StateMachine {
    constructor(definition: object);
    run(
      input: JSONValue,
      options: {
        noThrowOnAbort?: boolean;
        overrides?: { taskResourceLocalHandlers?: Record<string, (input: JSONValue) => Promise<JSONValue>> };
      },
    ): { abort: () => void; result: Promise<JSONValue> };
  }
}
