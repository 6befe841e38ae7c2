/** Measures contenders in turn, in reversed order each round, so that a drift of the machine favours none. */
import { CONTENDERS, type Contender } from './contenders.ts';

/** @param measure gets the number of the round, from 1 */
export async function inTurn(
  contenders: readonly Contender[],
  rounds: number,
  progress: (text: string) => void,
  measure: (contender: Contender, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
      progress(`round ${round} of ${rounds}: ${CONTENDERS[contender.name]}`);
      await measure(contender, round);
    }
  }
}
