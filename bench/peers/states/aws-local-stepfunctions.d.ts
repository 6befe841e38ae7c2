/** What is used of the interpreter, so that the types can be checked where the bench's packages are not installed. */
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
