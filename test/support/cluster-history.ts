/** One thing that a client did, from when to when (milliseconds), and what came of it. */
export interface Operation {
  kind: 'sign' | 'use' | 'revoke' | 'read' | 'crl' | 'end-token';
  /** What it was done to, or what it made: a serial, a token, a CRL's number. */
  subject: string;
  start: number;
  end: number;
  /** `unknown` where no answer came, or none that says whether it happened. */
  outcome: 'done' | 'refused' | 'unknown';
  /** Of a read: whether it was told to be revoked. Of a CRL: the list itself. */
  seen?: string;
}

/** What the database holds once all is quiet. */
export interface FinalState {
  issued: ReadonlySet<string>;
  /** As the newest CRL has it. */
  revoked: ReadonlySet<string>;
  crlNumber: number;
}

/** Everything in `history` that servers which behave as one would not have let happen. */
export function contradictions(
  history: readonly Operation[],
  final: FinalState,
  usesPerToken: number,
): string[] {
  return [
    ...serials(history, final),
    ...revocations(history, final),
    ...counted(history, usesPerToken),
    ...endedTokens(history),
    ...crlNumbers(history, final),
  ];
}

function of(history: readonly Operation[], kind: Operation['kind'], outcome?: Operation['outcome']) {
  return history.filter((one) => one.kind === kind && (outcome === undefined || one.outcome === outcome));
}

/** What was acknowledged is there, once. */
function serials(history: readonly Operation[], { issued }: FinalState): string[] {
  const signed = of(history, 'sign', 'done').map(({ subject }) => subject);
  const twice = signed.filter((serial, at) => signed.indexOf(serial) !== at);
  return [
    ...twice.map((serial) => `serial ${serial} was given twice`),
    ...signed.filter((serial) => !issued.has(serial)).map((serial) => `certificate ${serial} was lost`),
  ];
}

/** A revocation is seen by whoever reads after it was acknowledged, and by nobody before it was asked for. */
function revocations(history: readonly Operation[], { revoked }: FinalState): string[] {
  const found: string[] = [];
  const asked = Map.groupBy(of(history, 'revoke'), ({ subject }) => subject);
  for (const [serial, attempts] of asked) {
    const done = attempts.filter(({ outcome }) => outcome === 'done').map(({ end }) => end);
    if (done.length > 0 && !revoked.has(serial)) found.push(`the revocation of ${serial} was lost`);
    const since = Math.min(...done);
    for (const read of of(history, 'read', 'done').filter(({ subject }) => subject === serial)) {
      if (read.seen !== 'revoked' && read.start > since)
        found.push(`${serial} was still good after its revocation`);
    }
  }
  const reads = of(history, 'read', 'done').filter(({ seen }) => seen === 'revoked');
  for (const { subject, end } of reads) {
    if (!asked.get(subject)?.some(({ start }) => start < end)) found.push(`${subject} was revoked by nobody`);
  }
  for (const serial of revoked) if (!asked.has(serial)) found.push(`${serial} is on the CRL for nothing`);
  return found;
}

/** A token of so many uses has so many: no more were granted, and no fewer than were not lost with their answer. */
function counted(history: readonly Operation[], uses: number): string[] {
  const found: string[] = [];
  const ended = new Set(of(history, 'end-token').map(({ subject }) => subject));
  const ofCounted = of(history, 'use').filter(({ subject }) => !ended.has(subject));
  for (const [token, attempts] of Map.groupBy(ofCounted, ({ subject }) => subject)) {
    const count = (outcome: Operation['outcome']) => attempts.filter((one) => one.outcome === outcome).length;
    if (count('done') > uses) found.push(`a token of ${uses} uses was used ${count('done')} times`);
    const refused = attempts.filter(({ outcome }) => outcome === 'refused').map(({ end }) => end);
    const begunBefore = attempts.filter(
      ({ outcome, start }) => outcome !== 'refused' && start < Math.min(...refused),
    );
    if (refused.length > 0 && begunBefore.length < uses)
      found.push(`a token of ${uses} uses was refused after ${begunBefore.length}: ${token}`);
  }
  return found;
}

/** A token that was revoked is refused from the answer on. */
function endedTokens(history: readonly Operation[]): string[] {
  const uses = Map.groupBy(of(history, 'use', 'done'), ({ subject }) => subject);
  return of(history, 'end-token', 'done').flatMap(({ subject, end }) =>
    (uses.get(subject) ?? [])
      .filter(({ start }) => start > end)
      .map(() => `a token was used after its revocation`),
  );
}

/** CRL numbers never go back, and stand for one list each. */
function crlNumbers(history: readonly Operation[], final: FinalState): string[] {
  const found: string[] = [];
  const reads = of(history, 'crl', 'done').map((one) => ({ ...one, number: Number(one.subject) }));
  const lists = new Map<number, string>();
  for (const { number, seen } of reads) {
    if ((lists.get(number) ?? seen) !== seen) found.push(`there are two CRLs of number ${number}`);
    lists.set(number, seen!);
  }
  let highest = -1;
  const ends = reads.toSorted((a, b) => a.end - b.end);
  let at = 0;
  for (const read of reads.toSorted((a, b) => a.start - b.start)) {
    for (; at < ends.length && ends[at]!.end < read.start; at++)
      highest = Math.max(highest, ends[at]!.number);
    if (read.number < highest) found.push(`CRL ${read.number} was served after ${highest}`);
  }
  const last = Math.max(...reads.map(({ number }) => number), -1);
  if (last > final.crlNumber) found.push(`CRL ${last} is gone: the newest is ${final.crlNumber}`);
  return found;
}
