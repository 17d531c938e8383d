// The safeguards that the crash suite must miss when they are gone. A line of the program for each, and what is there
// without it. architecture.test.ts checks that each line is there, mutations.ts takes them out one at a time.

export interface Mutation {
  readonly what: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** The test that must fail, and a part of its title; absent: one of the crash suite. */
  readonly test?: string
  readonly title?: string
}

export const MUTATIONS: readonly Mutation[] = [
  {
    what: 'a Maildir file is not synced',
    file: 'src/deliver/maildir/file.ts',
    from: 'await this.#maildir.fileSystem.fsync(this.#fd)',
    to: 'await Promise.resolve()',
  },
  {
    what: 'the file of a volley is not synced',
    file: 'src/deliver/maildir/volley.ts',
    from: 'const syncing = fileSystem.fsync(fd)',
    to: 'const syncing: unknown = fd',
    test: 'test/deliver/maildir/volley.test.ts',
    title: 'syncs every file before the first is visible',
  },
  {
    what: 'nobody waits for the syncs of a volley',
    file: 'src/deliver/maildir/volley.ts',
    from: 'await this.#sync()',
    to: 'void this.#sync()',
    test: 'test/deliver/maildir/volley.test.ts',
    title: 'that hangs ends in time, and what is not visible then never will be',
  },
  {
    what: 'new/ is not synced behind a volley',
    file: 'src/deliver/maildir/volley.ts',
    from: 'await syncDirectory(fileSystem, folders.new)',
    to: 'await Promise.resolve()',
    test: 'test/deliver/maildir/volley.test.ts',
    title: 'syncs every file before the first is visible',
  },
  {
    what: 'a volley does not look at its right',
    file: 'src/deliver/maildir/volley.ts',
    from: 'if (!this.#isGivenUp) right.requireHeld()',
    to: '',
    test: 'test/deliver/maildir/volley.test.ts',
    title: 'shows nothing when the right is lost',
  },
  {
    what: 'a volley is withdrawn by word only when new/ cannot be synced',
    file: 'src/deliver/maildir/volley.ts',
    from: "made(fileSystem.unlink(this.#targets[at] ?? ''))",
    to: '',
    test: 'test/deliver/maildir/volley.test.ts',
    title: 'new/ that cannot be synced',
  },
  {
    what: 'the lane asks for messages before their attempts are recorded',
    file: 'src/poll/lane/lane.ts',
    from: 'await run.ledger.begin(lease, next)',
    to: 'void run.ledger.begin(lease, next)',
    test: 'test/poll/lane/lane.test.ts',
    title: 'asks for nothing before its attempt is recorded',
  },
  {
    what: 'the lane does not wait for the record of a batch',
    file: 'src/poll/lane/lane.ts',
    from: 'await run.ledger.settleAndBegin(',
    to: 'void run.ledger.settleAndBegin(',
    test: 'test/poll/lane/lane.test.ts',
    title: 'a ledger that cannot record what is delivered',
  },
  {
    what: 'the lane takes an answer of any length',
    file: 'src/pop3/wire/cutter.ts',
    from: 'if (end - this.#body - this.#dots !== size) return false',
    to: '',
    test: 'test/pop3/wire/cutter.test.ts',
    title: 'a body that is shorter than announced',
  },
  {
    what: 'a Maildir file is linked while it is being synced',
    file: 'src/deliver/maildir/batch.ts',
    from: 'await Promise.all(batch.map((file) => file.sync()))',
    to: 'void Promise.all(batch.map((file) => file.sync()))',
  },
  {
    what: 'new/ is not synced',
    file: 'src/deliver/maildir/batch.ts',
    from: 'await syncDirectory(fileSystem, folders.new)',
    to: 'await Promise.resolve()',
  },
  {
    what: 'nobody waits for the fsync of new/',
    file: 'src/deliver/maildir/batch.ts',
    from: 'await syncDirectory(fileSystem, folders.new)',
    to: 'void syncDirectory(fileSystem, folders.new)',
  },
  {
    what: 'what is found after a crash is not synced',
    file: 'src/deliver/maildir/find.ts',
    from: 'durable = syncDirectory(this.#fileSystem, file.folder)',
    to: 'durable = Promise.resolve()',
  },
  {
    what: 'an interrupted delivery is not looked for',
    file: 'src/poll/route/recall.ts',
    from: 'if (receipt === null) return false',
    to: 'if (receipt === null || delivery.attempts < 99) return false',
  },
  {
    what: 'a half-written file stays in tmp/',
    file: 'src/deliver/maildir/find.ts',
    from: 'if (unfinished !== undefined) await this.#remove(unfinished)\n',
    to: '',
  },
  {
    what: 'the second name stays in tmp/',
    file: 'src/deliver/maildir/link.ts',
    from: 'await fileSystem.unlink(tmp)',
    to: 'await Promise.resolve()',
  },
  {
    what: 'a file is withdrawn by word only when new/ cannot be synced',
    file: 'src/deliver/maildir/file.ts',
    from: 'await this.#maildir.fileSystem.unlink(this.#target)',
    to: 'await Promise.resolve()',
  },
  {
    what: 'a new folder is not synced in the one above it',
    file: 'src/deliver/maildir/folders.ts',
    from: '  await syncDirectory(fileSystem, path.dirname(directory))\n',
    to: '',
  },
  {
    what: 'a new ledger gets its name before it is synced',
    file: 'src/ledger/sqlite/file.ts',
    from: '    await syncWhole(draft)\n',
    to: '',
  },
  {
    what: 'the ledger does not sync',
    file: 'src/ledger/sqlite/group-commit.ts',
    from: 'PRAGMA synchronous = ${wanted}',
    to: 'PRAGMA synchronous = OFF',
  },
  {
    what: 'the ledger syncs at checkpoints only',
    file: 'src/ledger/sqlite/access.ts',
    from: "durability: Durability = 'disk',",
    to: "durability: Durability = 'process',",
  },
  {
    what: 'a change is told before it is committed',
    file: 'src/ledger/sqlite/group-commit.ts',
    from: 'return () => resolve(value)',
    to: 'resolve(value)\n          return () => {}',
  },
  {
    what: 'RETR does not wait for the record of the attempt',
    file: 'src/poll/transfer/attempts.ts',
    from: 'await this.#ledger.begin(',
    to: 'void this.#ledger.begin(',
  },
  {
    what: 'nobody waits for the record of a delivery',
    file: 'src/poll/transfer/hand-over.ts',
    from: 'await run.ledger.settle(',
    to: 'void run.ledger.settle(',
  },
  {
    what: 'DELE does not ask whether it was delivered',
    file: 'src/poll/transfer/transfer.ts',
    from: 'const delivered = await handOver(compared, message, this.#visit, isProven)',
    to: 'const delivered = (await handOver(compared, message, this.#visit, isProven)) || job.copy === 0',
  },
  {
    what: 'one destination of two is enough',
    file: 'src/poll/transfer/hand-over.ts',
    from: 'if (failed.length === 0 && job.later === null) {',
    to: 'if (failed.length < results.length) {',
  },
  {
    what: 'QUIT follows whatever happened',
    file: 'src/poll/transfer/transfer.ts',
    from: 'if (tally.error !== null || session.botched !== null || run.signal.aborted) throw interrupted(run.signal)',
    to: 'if (session.botched !== null) throw interrupted(run.signal)',
  },
  {
    what: 'QUIT comes before DELE is answered',
    file: 'src/poll/removal.ts',
    from: 'const answers = await Promise.allSettled(removable.map(({ number }) => session.remove(number)))',
    to: 'const quitting = session.quit()\n  const answers = await Promise.allSettled(removable.map(({ number }) => session.remove(number)))\n  await quitting',
  },
  {
    what: 'an unanswered delivery to a mail server counts as made',
    file: 'src/poll/route/due.ts',
    from: 'doubtful = !target.destination.remembers && (handedOver || unknowns > 0)',
    to: 'doubtful = !target.destination.remembers && (handedOver || unknowns > 0)\n      if (doubtful) continue',
  },
  {
    what: 'a possible duplicate is not reported',
    file: 'src/poll/transfer/hand-over.ts',
    from: "if (outcome.state === 'done' && due.doubtful) {",
    to: "if (outcome.state === 'failed' && due.doubtful) {",
  },
  {
    what: 'two pollers do not see each other',
    file: 'src/ledger/sqlite/lease.ts',
    from: "if (file !== own && isAlive(file)) return 'held'",
    to: 'if (file !== own) isAlive(file)',
    test: 'test/ledger/sqlite/lease.test.ts',
  },
]
