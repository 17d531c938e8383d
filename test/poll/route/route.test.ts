// Where messages go when an account has rules (`route`) or groups (`first-of`), through the real rooms.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene, upTo } from '../scene.ts'

/** Every delivery in the ledger: UIDL, destination, state, receipt or error, attempts. */
function deliveries(
  scene: Scene,
): { uidl: string; destination: string; state: number; said: string; attempts: number }[] {
  using database = new DatabaseSync(scene.path('state/state.db'), { readOnly: true })
  return database
    .prepare(
      `SELECT CAST(uidl AS TEXT) AS uidl, destination, delivery.state, coalesce(receipt, error) AS said, delivery.attempts
       FROM delivery JOIN message ON message.id = delivery.message ORDER BY message.id, destination`,
    )
    .all() as never
}

/** Of the messages, as it is in the ledger. */
function attempts(ledger: string): unknown[] {
  using database = new DatabaseSync(ledger)
  return database
    .prepare('SELECT attempts FROM message ORDER BY id')
    .all()
    .map((row) => row['attempts'])
}

async function routed(): Promise<Scene> {
  const scene = await Scene.create()
  scene.destinations = [
    'inbox: { type: maildir, path: inbox }',
    'odd: { type: maildir, path: odd }',
    'archive: { type: maildir, path: archive }',
  ]
  scene.account = [
    'route:',
    '  - { when: { subject: "letter 1" }, deliver: [odd, archive] }',
    '  - { when: { subject: "letter *", header: { Message-ID: "*<3@*" } }, deliver: odd }',
  ]
  return scene
}

describe('route', () => {
  test('sends each message where the first rule that fits says, the others where deliver says', async () => {
    await using scene = await routed()
    scene.fill(5)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 5, delivered: 5 })
    expect(scene.subjects('inbox')).toEqual([0, 2, 4])
    expect(scene.subjects('odd')).toEqual([1, 3])
    expect(scene.subjects('archive')).toEqual([1])
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
  })

  test('asks for messages in a pipeline as ever, and deletes what is delivered', async () => {
    await using scene = await routed()
    scene.account = [...scene.account, 'delete: after-delivery']
    scene.fill(200)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 200, deleted: 200 })
    expect([...scene.subjects('inbox'), ...scene.subjects('odd')].sort((a, b) => a - b)).toEqual(upTo(200))
  })

  test('fixes the targets of a message when it is first retrieved: a rule changed later does not move it', async () => {
    await using scene = await routed()
    scene.fill(2)
    writeFileSync(scene.path('odd'), 'in the way')
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 1, deferred: 1 })
    expect(scene.subjects('archive')).toEqual([1])
    scene.account = []
    rmSync(scene.path('odd'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects('odd')).toEqual([1])
    expect(scene.subjects('inbox')).toEqual([0])
    expect(scene.subjects('archive')).toEqual([1])
  })

  test('a message that was cut off has no targets yet, and gets them at the next poll', async () => {
    await using scene = await routed()
    scene.fill(1)
    scene.server.faults.onCommand = (verb) => (verb === 'RETR' ? 'drop' : 'serve')
    await scene.poll()
    expect(deliveries(scene)).toEqual([])
    scene.server.faults.onCommand = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects('inbox')).toEqual([0])
  })

  test('counts one attempt, not two', async () => {
    await using scene = await routed()
    scene.fill(1)
    const ledger = scene.path('state/state.db')
    const copy = `cp ${ledger} ${scene.path('then.db')} && cp ${ledger}-wal ${scene.path('then.db-wal')}`
    scene.destinations = [`inbox: { type: command, run: [sh, -c, "${copy}"] }`, ...scene.destinations.slice(1)]
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(attempts(scene.path('then.db'))).toEqual([1])
    expect(attempts(ledger)).toEqual([0])
  })

  test('--all delivers again where the rules say now; cut off, what was delivered stays delivered', async () => {
    await using scene = await routed()
    scene.fill(2)
    await scene.poll()
    scene.server.faults.onCommand = (verb) => (verb === 'RETR' ? 'drop' : 'serve')
    await scene.poll({ all: true })
    scene.server.faults.onCommand = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, skipped: 2 })
    scene.account = ['route: [{ when: { subject: "letter *" }, deliver: archive }]']
    expect(await scene.poll({ all: true })).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(scene.subjects('archive')).toEqual([0, 1, 1])
    expect(scene.subjects('inbox')).toEqual([0])
  })

  test('one destination that is down keeps only its own messages waiting', async () => {
    await using scene = await routed()
    writeFileSync(scene.path('odd'), 'in the way')
    scene.fill(4)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 2, deferred: 2 })
    // What is bound for it is not even asked for again.
    expect(await scene.poll()).toMatchObject({ delivered: 0 })
    expect(scene.count('RETR')).toBe(4)
  })

  test('all of them down: nothing is retrieved', async () => {
    await using scene = await routed()
    for (const name of ['inbox', 'odd', 'archive']) writeFileSync(scene.path(name), 'in the way')
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_DELIVERY' } })
    expect(scene.count('RETR')).toBe(0)
  })

  test('--dry-run names every destination that it may be', async () => {
    await using scene = await routed()
    scene.fill(1)
    const { plan } = await scene.poll({ dryRun: true })
    expect(plan.map(({ destinations }) => destinations)).toEqual([['inbox', 'odd', 'archive']])
  })

  test('many messages at a first poll want a word when any rule sends on', async () => {
    await using scene = await routed()
    scene.destinations = [...scene.destinations, 'on: { type: smtp, host: localhost, port: 1, to: a@b.c }']
    scene.account = ['route: [{ when: { subject: rare }, deliver: on }]']
    scene.fill(1001)
    expect(await scene.poll()).toMatchObject({ error: { code: 'ERR_FIRST_POLL' } })
  })
})

describe('first-of', () => {
  async function forwarding(): Promise<{ scene: Scene; sink: SmtpSink; [Symbol.asyncDispose](): Promise<void> }> {
    const scene = await Scene.create()
    const sink = await SmtpSink.start()
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      `forward: { type: smtp, host: ${sink.host}, port: ${sink.port}, to: a@example.org }`,
    ]
    scene.deliver = '{ first-of: [forward, inbox] }'
    return {
      scene,
      sink,
      async [Symbol.asyncDispose]() {
        await scene[Symbol.asyncDispose]()
        await sink[Symbol.asyncDispose]()
      },
    }
  }
  const name = 'first-of: forward, inbox'

  test('gives a message to the first that takes it, and the ledger says which', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    sink.faults.dot = ({ bytes }) => (bytes.includes('letter 1') ? '550 5.7.1 no' : null)
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3, refused: 0 })
    expect(sink.messages).toHaveLength(2)
    expect(scene.subjects()).toEqual([1])
    expect(deliveries(scene)).toMatchObject([
      { uidl: 'uid-0', destination: name, said: expect.stringMatching(/^forward: /) },
      { uidl: 'uid-1', destination: name, said: expect.stringMatching(/^inbox: /) },
      { uidl: 'uid-2', destination: name, said: expect.stringMatching(/^forward: /) },
    ])
    expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
  })

  test.each(['451 4.3.0 later', 'drop', 'lost'])('%s is no refusal: the next is not asked', async (answer) => {
    await using both = await forwarding()
    const { scene, sink } = both
    sink.faults.dot = answer
    scene.fill(1)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', deferred: 1, delivered: 0 })
    expect(scene.mail()).toEqual([])
  })

  test('the first being down keeps all waiting', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    sink.faults.connect = '421 4.3.2 not now'
    scene.fill(1)
    expect(await scene.poll()).toMatchObject({ outcome: 'failed' })
    expect(scene.mail()).toEqual([])
    expect(scene.count('RETR')).toBe(0)
  })

  test('the next being down keeps waiting only what the first refuses', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    writeFileSync(scene.path('inbox'), 'in the way')
    sink.faults.dot = ({ bytes }) => (bytes.includes('letter 0') ? '550 5.7.1 no' : null)
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 2, deferred: 1, refused: 0 })
    expect(sink.messages).toHaveLength(2)
    rmSync(scene.path('inbox'))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(scene.subjects()).toEqual([0])
  })

  test('refused by all: refused, with what each of them said', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    mkdirSync(scene.path('x'))
    scene.destinations = [scene.destinations[1] ?? '', 'second: { type: command, run: [sh, -c, "exit 65"] }']
    scene.deliver = '{ first-of: [forward, second] }'
    sink.faults.dot = '550 5.7.1 no'
    scene.fill(1)
    const report = await scene.poll()
    expect(report).toMatchObject({ outcome: 'partial', refused: 1 })
    expect(report.problems[0]?.reason).toMatch(
      /550 5\.7\.1 no.*; command sh: it exited with 65 \(the message is wrong\)/,
    )
    expect(scene.left()).toEqual(['uid-0'])
  })

  test('goes together with others in a list and with rules', async () => {
    await using both = await forwarding()
    const { scene, sink } = both
    scene.destinations = [...scene.destinations, 'all: { type: mbox, path: all.mbox }']
    scene.deliver = '[{ first-of: [forward, inbox] }, all]'
    scene.account = ['route: [{ when: { subject: "*1" }, deliver: { first-of: [inbox, forward] } }]']
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(sink.messages).toHaveLength(1)
    expect(scene.subjects()).toEqual([1])
    expect(readFileSync(scene.path('all.mbox'), 'latin1').match(/^Subject: .*$/gm)).toEqual(['Subject: letter 0'])
  })
})
