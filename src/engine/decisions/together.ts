/**
 * Decides requests that arrive in one turn of the event loop in few transactions: the disk is waited for once for
 * several, and nobody is answered before that.
 *
 * Invariants kept here: 2 (an answer follows the commit), 4. What is refused has recorded nothing, so it takes
 * nothing back from the others.
 */
import { type Answer, refusal } from '../../core/answer.js';
import type { Ledger } from '../recording/ledger.js';
import { decide, type Recorded, type Request } from './decide.js';
import type { Calendar, Decision } from './rule.js';

type Decided = Answer<Recorded<Decision>>;

interface Waiting {
  readonly request: Request;
  readonly resolve: (answer: Decided | Promise<never>) => void;
}

/** Requests in one transaction, … */
const AT_ONCE = 25;
/** … and in the first one of many: what these led to is submitted while the others are decided. */
const FIRST = 8;

export class Decisions {
  private readonly waiting: Waiting[] = [];

  constructor(
    private readonly ledger: Ledger,
    private readonly calendar: Calendar,
  ) {}

  decide(request: Request): Promise<Decided> {
    return new Promise((resolve) => {
      this.waiting.push({ request, resolve });
      if (this.waiting.length === 1) setImmediate(() => this.decideNext(FIRST));
    });
  }

  private decideNext(most: number): void {
    const batch = this.waiting.splice(0, most);
    if (this.waiting.length > 0) setImmediate(() => this.decideNext(AT_ONCE));
    for (const [index, answer] of this.answers(batch).entries()) batch[index]!.resolve(answer);
  }

  private answers(batch: readonly Waiting[]): (Decided | Promise<never>)[] {
    const attempt = ({ request }: Waiting): Decided => {
      try {
        return { ok: decide(this.ledger, request, this.calendar) };
      } catch (error) {
        return refusal(error);
      }
    };
    try {
      return this.ledger.together(() => batch.map(attempt));
    } catch {
      // Nothing of the batch is recorded. One after the other, each gets what it deserves.
      return batch.map((waiting) => {
        try {
          return attempt(waiting);
        } catch (error) {
          return Promise.reject(error);
        }
      });
    }
  }
}
