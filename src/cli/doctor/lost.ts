/** The end of a job whose execution is lost: the build API's word where it was asked, `ExecutionLost` where nobody knows. */
import { errorInfo } from '../../domain/failures.ts';
import { endOf, type End } from './trace.ts';
import type { Truth } from './truth.ts';

/** What the build API said of a lost job's build. */
export interface Asked {
  /** Where its answer is final. */
  end?: End;
  /** For a person. */
  says: string;
  /** The build is still going on. */
  undecided: boolean;
}

export function lostEnd({ trace, how }: Truth, buildId: string | undefined, asked: Asked | undefined): End {
  if (asked?.end !== undefined) return asked.end;
  const said = asked === undefined ? '' : `; ${asked.says}`;
  const what =
    trace !== undefined && !trace.triggered && buildId === undefined
      ? 'the build was never triggered'
      : `what became of the build is not known${said}`;
  const step = trace?.step === undefined ? '' : `${trace.step}: `;
  return endOf('FAILED', buildId, errorInfo('ExecutionLost', `${step}the workflow ${how}; ${what}`));
}
