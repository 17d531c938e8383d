// What a ledger that was lost, or an older copy of it, learns again from the destinations (DESIGN 4.3).
import fs, { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { mortal } from '../../support/mortal-ledger.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { letter, Scene, upTo } from '../scene.ts'

function loseLedger(scene: Scene): void {
  rmSync(scene.path('state'), { recursive: true })
}

function keepLedger(scene: Scene): void {
  rmSync(scene.path('kept'), { recursive: true, force: true })
  cpSync(scene.path('state'), scene.path('kept'), { recursive: true })
}

function putLedgerBack(scene: Scene): void {
  loseLedger(scene)
  cpSync(scene.path('kept'), scene.path('state'), { recursive: true })
}

function subjectsAt(sink: SmtpSink): number[] {
  return sink.messages
    .map(({ bytes }) => Number(/^Subject: letter (\d+)\r$/m.exec(bytes.toString('latin1'))?.[1]))
    .sort((a, b) => a - b)
}

/** How many messages of the ledger are open and go nowhere yet. */
async function withoutDeliveries(scene: Scene): Promise<number> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  let count = 0
  for await (const slice of ledger.records.list(scene.name, 'open'))
    count += slice.filter(({ deliveries }) => deliveries.length === 0).length
  return count
}

interface Forwarding extends AsyncDisposable {
  readonly scene: Scene
  readonly sink: SmtpSink
}

/** To a Maildir and to a server, which cannot. */
async function forwarding(): Promise<Forwarding> {
  const sink = await SmtpSink.start()
  const scene = await Scene.create()
  scene.destinations = [
    'inbox: { type: maildir, path: inbox }',
    `relay: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, to: a@example.com }`,
  ]
  scene.deliver = '[inbox, relay]'
  return {
    scene,
    sink,
    async [Symbol.asyncDispose]() {
      await scene[Symbol.asyncDispose]()
      await sink[Symbol.asyncDispose]()
    },
  }
}

const BOTH = ['inbox: { type: maildir, path: inbox }', 'copy: { type: maildir, path: copy }']

describe('a message that the Maildir has counts as delivered there alone (S034)', () => {
  test('a server that never got it gets it, counted as a possible duplicate, before it is deleted', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    sink.faults.rcpt = '451 4.3.0 later'
    expect(await scene.poll()).toMatchObject({ delivered: 0, deferred: 3, deleted: 0 })
    loseLedger(scene)
    expect(await scene.poll()).toMatchObject({ deferred: 3, deleted: 0 })
    sink.faults.rcpt = null
    expect(await scene.poll({ eager: true })).toMatchObject({ delivered: 3, deleted: 3, possibleDuplicates: 3 })
    expect(subjectsAt(sink)).toEqual(upTo(3))
    expect(scene.subjects()).toEqual(upTo(3))
    expect(scene.left()).toEqual([])
  })

  test('another Maildir that lacks it gets it, once', async () => {
    await using scene = await Scene.create()
    scene.destinations = BOTH
    scene.deliver = '[inbox, copy]'
    scene.account = ['delete: after-delivery']
    writeFileSync(scene.path('copy'), '')
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ deleted: 0 })
    loseLedger(scene)
    rmSync(scene.path('copy'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3, deleted: 3, possibleDuplicates: 0 })
    expect(scene.subjects()).toEqual(upTo(3))
    expect(scene.subjects('copy')).toEqual(upTo(3))
  })

  test('a Maildir that is down when the ledger is rebuilt gets nothing twice once it is back', async () => {
    await using scene = await Scene.create()
    scene.destinations = BOTH
    scene.deliver = '[inbox, copy]'
    scene.account = ['delete: after-delivery']
    scene.server.faults.ignoreDeletes = true
    scene.fill(3)
    await scene.poll()
    loseLedger(scene)
    renameSync(scene.path('copy'), scene.path('away'))
    writeFileSync(scene.path('copy'), '')
    scene.fill(1, 3)
    expect(await scene.poll()).toMatchObject({ deleted: 0 })
    rmSync(scene.path('copy'))
    renameSync(scene.path('away'), scene.path('copy'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok' })
    expect(scene.subjects()).toEqual(upTo(4))
    expect(scene.subjects('copy')).toEqual(upTo(4))
  })

  test('where a rule decides where else it goes, its header is asked, and nothing comes twice', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    scene.deliver = 'inbox'
    scene.account = [
      'delete: after-delivery',
      'route:',
      '  - { when: { subject: "letter 1" }, deliver: [inbox, relay] }',
    ]
    scene.server.faults.ignoreDeletes = true
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ delivered: 3 })
    sink.messages.splice(0)
    loseLedger(scene)
    scene.server.faults.ignoreDeletes = false
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 3 })
    expect(subjectsAt(sink)).toEqual([1])
    expect(scene.subjects()).toEqual(upTo(3))
  })

  test('a file of another message under its name is no proof: the message is delivered there as well (P130)', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    scene.account = ['delete: after-delivery']
    scene.fill(1)
    sink.faults.rcpt = '451 4.3.0 later'
    await scene.poll()
    loseLedger(scene)
    scene.server.mailbox('alice').messages.splice(0)
    scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-0' })
    sink.faults.rcpt = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 1 })
    expect(subjectsAt(sink)).toEqual([7])
    expect(scene.subjects()).toEqual([0, 7])
  })

  test('the same for a Maildir alone: it is delivered by the poll that follows', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    loseLedger(scene)
    scene.server.mailbox('alice').messages.splice(0)
    scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-0' })
    scene.account = ['delete: after-delivery']
    expect(await scene.poll()).toMatchObject({ deleted: 0 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 1 })
    expect(scene.subjects()).toEqual([0, 7])
  })
})

describe('taking over', () => {
  test('of new UIDs that is killed half way is finished by the next plain poll, and nothing comes twice (S035)', async () => {
    await using scene = await Scene.create()
    scene.fill(30)
    await scene.poll()
    for (const message of scene.server.mailbox('alice').messages) message.uidl = message.uidl.toUpperCase()
    // It is begun, and nothing was taken over yet.
    scene.ledgerOf = (ledger) => mortal(ledger, { change: 2, made: false }, ['takeOver', 'rekey'])
    expect(await scene.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'failed' })
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(30))
  })

  test('covers the whole listing, whatever limit says (S036)', async () => {
    await using scene = await Scene.create()
    scene.fill(6)
    await scene.poll()
    loseLedger(scene)
    scene.fill(2, 6)
    expect(await scene.poll({ limit: 1 })).toMatchObject({ skipped: 6, delivered: 1 })
    scene.account = ['limit: 1']
    expect(await scene.poll()).toMatchObject({ delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(8))
  })

  test('goes on after a first poll that failed before it was begun (S036)', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll()
    loseLedger(scene)
    scene.server.faults.reply.set('UIDL', '-ERR not now').set('TOP', '-ERR not now')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed' })
    scene.server.faults.reply.clear()
    expect(await scene.poll({ limit: 1 })).toMatchObject({ skipped: 3, delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(3))
  })

  test('lets first skip nothing: what came since is wanted (S046)', async () => {
    await using scene = await Scene.create()
    scene.account = ['first: new']
    scene.fill(1)
    await scene.poll()
    scene.fill(2, 1)
    await scene.poll()
    loseLedger(scene)
    scene.fill(2, 3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3 })
    expect(scene.subjects()).toEqual([0, 1, 2, 3, 4])
  })

  test('is not begun for a new account, where first skips what is there', async () => {
    await using scene = await Scene.create()
    scene.account = ['first: new']
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, skipped: 3 })
    expect(scene.notes.filter((note) => note.includes('recorded'))).toEqual([])
  })

  test('skips nothing either while the Maildir is down that would tell (S046)', async () => {
    await using scene = await Scene.create()
    scene.account = ['first: new']
    scene.fill(1)
    await scene.poll()
    scene.fill(2, 1)
    await scene.poll()
    loseLedger(scene)
    scene.fill(1, 3)
    renameSync(scene.path('inbox'), scene.path('away'))
    writeFileSync(scene.path('inbox'), '')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed' })
    rmSync(scene.path('inbox'))
    renameSync(scene.path('away'), scene.path('inbox'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(scene.subjects()).toEqual([0, 1, 2, 3])
  })

  test('is told once, with counts (S046)', async () => {
    await using both = await forwarding()
    const { scene } = both
    scene.fill(3)
    await scene.poll()
    loseLedger(scene)
    scene.notes.splice(0)
    await scene.poll()
    await scene.poll()
    expect(scene.notes.filter((note) => note.startsWith('nothing was recorded'))).toEqual([
      'nothing was recorded for this account: 3 messages were found at the destinations; 3 of them still go to destinations that may lack them',
    ])
  })
})

describe('an older copy of the ledger (S037)', () => {
  test('brings nothing twice that came since', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    keepLedger(scene)
    scene.fill(3, 2)
    await scene.poll()
    putLedgerBack(scene)
    scene.fill(1, 5)
    scene.notes.splice(0)
    expect(await scene.poll({ limit: 1 })).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual(upTo(6))
    expect(scene.notes).toContain(
      'the ledger is an older copy: 3 messages were found at the destinations that it lacks',
    )
  })

  test('brings nothing twice that it has as open', async () => {
    await using scene = await Scene.create()
    scene.destinations = BOTH
    scene.deliver = '[inbox, copy]'
    writeFileSync(scene.path('copy'), '')
    scene.fill(2)
    await scene.poll()
    keepLedger(scene)
    rmSync(scene.path('copy'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
    putLedgerBack(scene)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(scene.subjects('copy')).toEqual([0, 1])
  })

  const OPEN: Readonly<Record<string, (scene: Scene) => void>> = {
    'whose RETR ended the session where a rule decides where it goes': (scene) => {
      scene.account = ['route: [{ when: { subject: other }, deliver: copy }]', 'delete: after-delivery']
      scene.server.faults.onCommand = (verb) => (verb === 'RETR' ? 'drop' : 'serve')
    },
    'that waits for the first of two': (scene) => {
      scene.destinations = ['next: { type: smtp, host: 127.0.0.1, port: 1, to: bob@example.net }', ...BOTH]
      scene.deliver = '{ first-of: [next, inbox] }'
    },
    'that ended the session when it was looked at': (scene) => {
      scene.account = ['first: since:2020-01-01', 'delete: after-delivery']
      scene.server.faults.onCommand = (verb) => (verb === 'TOP' || verb === 'RETR' ? 'drop' : 'serve')
    },
  }

  test.each(Object.entries(OPEN))(
    'brings nothing twice that it has as open, without deliveries: %s',
    async (_how, bad) => {
      await using scene = await Scene.create()
      scene.destinations = BOTH
      bad(scene)
      scene.fill(3)
      await scene.poll({ eager: false })
      expect(await withoutDeliveries(scene)).toBeGreaterThan(0)
      keepLedger(scene)
      scene.server.faults.onCommand = null
      const [deliver, account] = [scene.deliver, scene.account]
      scene.deliver = 'inbox'
      scene.account = account.filter((line) => !line.startsWith('delete'))
      await scene.poll()
      expect(scene.subjects()).toEqual(upTo(3))
      putLedgerBack(scene)
      scene.deliver = deliver.includes('first-of') ? 'inbox' : deliver
      scene.account = account
      for (const _ of upTo(3)) await scene.poll()
      expect(scene.subjects()).toEqual(upTo(3))
      if (account.length > 0) expect(scene.left()).toEqual([])
    },
  )

  test('brings nothing twice that came since, though the clock was years behind then (S040)', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    keepLedger(scene)
    scene.fill(2, 2)
    await scene.poll()
    for (const file of scene.files()) renameSync(file, file.replace(/\/\d+\./, '/1400000000.'))
    putLedgerBack(scene)
    // Another message under the UIDL of one of them: only its header tells.
    const { messages } = scene.server.mailbox('alice')
    messages.splice(2, 1)
    scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-2' })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
    expect(scene.subjects()).toEqual([0, 1, 2, 3, 7])
  })

  test('is no reason to keep back a message whose UIDL was used before', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    // Months later: its row is forgotten, the file is old, and the server gives its UIDL again.
    const [file = ''] = scene.files()
    renameSync(file, file.replace(/\/\d+\./, '/1600000000.'))
    const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(scene.path('state/state.db'))
    database.exec('DELETE FROM delivery; DELETE FROM message; UPDATE account SET known = 0')
    database.exec(
      "INSERT INTO message (account, uidl, copy, state, first_seen_ms) VALUES (1, CAST('other' AS BLOB), 0, 2, 1)",
    )
    database.exec('UPDATE account SET known = 1')
    database.close()
    scene.server.mailbox('alice').messages.splice(0)
    scene.server.mailbox('alice').add(letter(7), { uidl: 'uid-0' })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects()).toEqual([0, 7])
  })
})

test('after a rebuild one walk through the Maildir serves all that is to be compared (S049)', async () => {
  await using scene = await Scene.create()
  scene.fill(40)
  await scene.poll()
  loseLedger(scene)
  scene.account = ['delete: after-delivery']
  const walks = vi.spyOn(fs.promises, 'opendir')
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, deleted: 40 })
  const looked = walks.mock.calls.filter(([folder]) => String(folder).endsWith('/cur')).length
  walks.mockRestore()
  // Two for the names, until a look finds nothing more; one for the contents.
  expect(looked).toBeLessThanOrEqual(3)
})

test('a message that a person has forgotten is delivered again, though the Maildir has it', async () => {
  await using scene = await Scene.create()
  scene.fill(2)
  await scene.poll()
  await scene.forget(['uid-1'])
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(scene.subjects()).toEqual([0, 1, 1])
  await scene.forget('all')
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
})
