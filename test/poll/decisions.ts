// Decisions of a poll that other ones hide from most tests. A line of the program for each, what is there without it, and the
// test that must fail then. architecture.test.ts checks that each line is there; `node test/crash/mutations.ts decision` breaks
// them one after another.
import type { Mutation } from '../crash/safeguards.ts'

const NEW_IDS = { file: 'src/poll/compare/few-new-ids.ts', test: 'test/poll/compare/where-to-look.test.ts' } as const
const ENDED = { file: 'src/poll/transfer/ended-looks.ts', test: 'test/poll/transfer/ended-looks.test.ts' } as const
const MARK = { file: 'src/poll/idle/mark.ts', test: 'test/poll/idle/mark.test.ts' } as const
const SHARED = 'test/poll/rests/shared-rests.test.ts'

export const DECISIONS: readonly Mutation[] = [
  {
    ...NEW_IDS,
    what: 'decision: new UIDs are looked for a second time',
    from: "if (history.takingOver?.why === 'new-ids') return null",
    to: '',
  },
  {
    ...NEW_IDS,
    what: 'decision: a look may drop a message (EXPIRE 0)',
    from: 'session.capabilities.expireDays === 0 || ',
    to: '',
  },
  {
    ...NEW_IDS,
    what: 'decision: what is held counts as not looked at',
    from: 'unknown.length + held >= plan.new',
    to: 'unknown.length >= plan.new',
  },
  {
    ...NEW_IDS,
    what: 'decision: what was not looked at is gone',
    from: 'unknown.length + held >= plan.new',
    to: 'unknown.length + held >= 0',
  },
  {
    ...NEW_IDS,
    what: 'decision: a header that is the key is asked for twice',
    from: 'unknown.filter(({ uidl }) => !uidl.startsWith(NO_UIDL))',
    to: 'unknown.filter(({ uidl }) => NO_UIDL !== uidl)',
  },
  {
    ...NEW_IDS,
    what: 'decision: copies for several people are one',
    from: "visit.account.recipient?.kind === 'header' ? [] : ",
    to: '',
  },
  {
    ...NEW_IDS,
    what: 'decision: what we deleted is known under a new UID by its header',
    from: 'known === null || known.deletions > 0)',
    to: 'known === null)',
  },
  {
    ...NEW_IDS,
    what: "decision: a server's own notes make another message",
    from: 'look?.stateBytes ?? 0)',
    to: '0)',
  },
  {
    file: 'src/poll/transfer/transfer.ts',
    what: 'decision: what was deleted comes again under a new UID',
    from: 'if (same !== null) {',
    to: 'if (same !== null && same.number < 0) {',
    test: 'test/poll/compare/few-new-ids.test.ts',
    title: 'ignores deletions',
  },
  {
    ...ENDED,
    what: 'decision: what has no UIDL and ended a session is forgotten',
    from: "fact.length === 0 ? null : fact.join(' ')",
    to: 'null',
    title: 'UIDL',
  },
  {
    ...ENDED,
    what: 'decision: what has no UIDL and ended a session is never tried again',
    from: '    this.#tried.add(next)\n    return true\n',
    to: '    return false\n',
    title: 'comes once it can',
  },
  {
    ...ENDED,
    what: 'decision: a look that ends each session is remembered by nobody',
    from: 'times === ENDS_THAT_TELL',
    to: 'times < 0',
    title: 'more of them',
  },
  {
    ...ENDED,
    what: 'decision: a look before a deletion is not noted',
    from: "if (verb === 'RETR') await run",
    to: 'if (times < 0) await run',
    title: 'before the deletion',
  },
  {
    what: 'decision: who ended sessions is looked at again',
    file: 'src/poll/compare/match.ts',
    from: "state === 'open' && harm?.command === 'RETR' && fingerprint === null",
    to: "state === 'open' && harm?.command === 'DELE' && fingerprint === null",
    test: ENDED.test,
    title: 'another size',
  },
  {
    what: 'decision: nobody asks whether a refusal ended the session',
    file: 'src/poll/compare/looks.ts',
    from: 'await this.#session.noop()',
    to: 'await Promise.resolve()',
    test: ENDED.test,
    title: 'neither',
  },
  {
    what: 'decision: two accounts at once try a recipient after its rest',
    file: 'src/poll/route/account-destinations.ts',
    from: 'const finds = probes ||',
    to: "const finds = entered.door === 'probe' ||",
    test: SHARED,
    title: 'one process',
  },
  {
    what: 'decision: a recipient without room closes the others',
    file: 'src/poll/route/account-destinations.ts',
    from: "if (recipient !== '' && !recipientsOf(target).includes(recipient)) return",
    to: '',
    test: SHARED,
    title: 'under way',
  },
  {
    what: 'decision: what failed before makes room out of none',
    file: 'src/poll/route/account-destinations.ts',
    from: 'known === null || known.receivedBytes !== null || known.reason === null',
    to: 'known === null || known.firstSeenMs > 0',
    test: SHARED,
    title: 'makes no room',
  },
  {
    what: 'decision: an open message without deliveries is not looked for',
    file: 'src/poll/compare/recovery.ts',
    from: 'candidate.known === null || candidate.known.deliveries.length === 0',
    to: 'candidate.known === null',
    test: 'test/poll/compare/lost-ledger.test.ts',
    title: 'without deliveries',
  },
  {
    ...MARK,
    what: 'decision: a mailbox is as it was though somebody polled since',
    from: 'lastPollMs, configuredDigest(account, destinations), print',
    to: 'configuredDigest(account, destinations), print',
  },
  {
    ...MARK,
    what: 'decision: a mailbox is as it was though its configuration is another',
    from: 'about.version, account, goes',
    to: 'about.version, goes',
  },
  {
    ...MARK,
    what: 'decision: a mailbox is as it was though its destination is another',
    from: 'account, goes]',
    to: 'account]',
  },
  {
    ...MARK,
    what: 'decision: a mailbox is as it was though a reload brought other destinations',
    from: 'if (known?.destinations === destinations) return',
    to: 'if (known !== undefined) return',
  },
  {
    ...MARK,
    what: 'decision: a mailbox is as it was though something is due',
    from: 'nowMs < lastPollMs || nowMs >= before.dueMs',
    to: 'nowMs < lastPollMs',
  },
  {
    ...MARK,
    what: 'decision: a mailbox is as it was for ever',
    from: 'nowMs + LONGEST_MS, ',
    to: '',
  },
  {
    ...MARK,
    what: 'decision: a mailbox is as it was though something was to be deleted',
    from: 'error !== null || undeleted > 0',
    to: 'error !== null',
  },
]
