// The guards of DESIGN 4.4 as a person meets them: what stops, what goes on with which option, and what becomes of the mail.
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadConfiguration } from '../../src/config/load.ts'
import { PopfetchError } from '../../src/errors.ts'
import type { Ledger, Lease, SeenEntry } from '../../src/ledger/ledger.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { rememberFirst } from '../../src/poll/plan/first.ts'
import { pollAll } from '../../src/poll/poller.ts'
import type { AccountReport, PollOptions } from '../../src/poll/report.ts'
import { Scene, upTo } from './scene.ts'
import { BY_PERSON } from '../support/poll-options.ts'

const stopped = (code: string) => ({ outcome: 'failed', delivered: 0, deleted: 0, error: { code, retry: 'never' } })

/** A destination that cannot show what it has: a program that takes everything. */
const PIPE = 'pipe: { type: command, run: [cat], concurrency: 4 }'

async function piped(messages: number): Promise<Scene> {
  const scene = await Scene.create()
  scene.destinations = [PIPE, 'inbox: { type: maildir, path: inbox }']
  scene.deliver = 'pipe'
  scene.fill(messages)
  return scene
}

/** A ledger that is killed when half of what is to count as seen is recorded. */
function dyingHalfWay(ledger: Ledger): Ledger {
  return new Proxy(ledger, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name, target)
      if (typeof found !== 'function') return found
      if (name !== 'see') return found.bind(target)
      return async (lease: Lease, seen: readonly SeenEntry[]): Promise<never> => {
        await target.see(lease, seen.slice(0, seen.length / 2))
        throw new PopfetchError('ERR_LEDGER', 'killed', { scope: 'process', retry: 'soon' })
      }
    },
  })
}

async function note(scene: Scene, facts: Readonly<Record<string, string>>): Promise<void> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  await ledger.records.note(scene.name, facts)
}

describe('a first poll (ERR_FIRST_POLL)', () => {
  test.each([
    [200, null],
    [201, 'ERR_FIRST_POLL'],
  ] as const)('of %i messages that would be sent on: %s', async (messages, code) => {
    await using scene = await piped(messages)
    if (code === null) expect(await scene.poll({ limit: 1 })).toMatchObject({ outcome: 'ok', delivered: 1 })
    else {
      expect(await scene.poll({ limit: 1 })).toMatchObject(stopped(code))
      expect(await scene.poll({ limit: 1 }), 'a second time').toMatchObject(stopped(code))
      expect(scene.count('RETR')).toBe(0)
      expect(await scene.poll({ limit: 1, yes: true })).toMatchObject({ outcome: 'ok', delivered: 1 })
      expect(await scene.poll({ limit: 1 }), 'it is no first poll any more').toMatchObject({
        outcome: 'ok',
        delivered: 1,
      })
    }
  })

  test.each([
    ['a Maildir', 'inbox', false],
    ['an mbox', 'box', false],
    ['an mbox without marks', '{ type: mbox, path: b, trace: false }', true],
    ['a program', 'pipe', true],
    ['SMTP', '{ type: smtp, host: 127.0.0.1, port: 9, to: a@example.com }', true],
    ['LMTP', '{ type: lmtp, socket: nowhere, to: a }', true],
    ['an IMAP folder', '{ type: imap, host: 127.0.0.1, port: 9, user: a, password: b }', false],
    [
      'an IMAP folder without marks',
      '{ type: imap, host: 127.0.0.1, port: 9, user: a, password: b, trace: false }',
      true,
    ],
    ['Gmail', '{ type: gmail, user: a@gmail.com, token: t }', true],
    ['a Maildir and a program', '[inbox, pipe]', true],
    ['a Maildir, else an mbox', '{ first-of: [inbox, box] }', false],
    ['a Maildir, else a program', '{ first-of: [inbox, pipe] }', true],
  ])('of 201 messages to %s', async (_, deliver, asks) => {
    await using scene = await piped(201)
    scene.destinations = [...scene.destinations, 'box: { type: mbox, path: box }']
    scene.deliver = deliver
    const { error } = await scene.poll({ limit: 1 })
    expect(error?.code === 'ERR_FIRST_POLL').toBe(asks)
  })

  test.each([['all'], ['new'], ['last:3']])('asks nothing where first: %s is written', async (first) => {
    await using scene = await piped(201)
    scene.account = [`first: ${first}`]
    expect(await scene.poll({ limit: 1 })).toMatchObject({ outcome: 'ok', delivered: first === 'new' ? 0 : 1 })
  })

  test('asks nothing where init was answered, and asks again once the ledger is lost', async () => {
    await using scene = await piped(201)
    const identity = { name: scene.name, host: scene.server.host, port: scene.server.port, user: 'alice' }
    {
      await using ledger = await openLedger(scene.path('state/state.db'))
      await rememberFirst(ledger, identity, 'last:1')
    }
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, skipped: 200 })
    rmSync(scene.path('state'), { recursive: true })
    expect(await scene.poll()).toMatchObject(stopped('ERR_FIRST_POLL'))
  })

  test('of an empty mailbox is one: what comes later is no flood', async () => {
    await using scene = await piped(0)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 0 })
    scene.fill(201)
    expect(await scene.poll({ limit: 1 })).toMatchObject({ outcome: 'ok', delivered: 1 })
  })
})

test('what a limit left is no sign of changed UIDs', async () => {
  await using scene = await Scene.create()
  scene.fill(300)
  expect(await scene.poll({ limit: 25 })).toMatchObject({ outcome: 'ok', delivered: 25 })
  expect(await scene.poll({ limit: 25 })).toMatchObject({ outcome: 'ok', delivered: 25, error: null })
})

describe('--mark-seen', () => {
  test('counts what is there as seen: it is neither fetched nor deleted, what comes later is', async () => {
    await using scene = await piped(201)
    scene.account = ['delete: after-delivery']
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'ok', new: 201, delivered: 0, skipped: 201 })
    scene.fill(1, 201)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 1, delivered: 1, deleted: 1 })
    expect(scene.left()).toHaveLength(201)
    expect(scene.count('RETR')).toBe(1)
  })

  test('does the same for an account that was polled before, whatever its destinations can show', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    await scene.poll()
    scene.fill(3, 2)
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'ok', new: 3, delivered: 0, skipped: 5 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
    expect(scene.subjects()).toEqual(upTo(2))
  })

  test('goes before first, and before a limit', async () => {
    await using scene = await piped(10)
    scene.account = ['first: all', 'limit: 2']
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'ok', delivered: 0, skipped: 10 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
  })

  test('that is killed half way asks again: nothing is sent', async () => {
    await using scene = await piped(402)
    scene.ledgerOf = dyingHalfWay
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'failed' })
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ new: 201, ...stopped('ERR_FIRST_POLL') })
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(scene.count('RETR')).toBe(0)
  })

  test('shows in a dry run what it would do', async () => {
    await using scene = await piped(2)
    const { plan } = await scene.poll({ markSeen: true, dryRun: true })
    expect(plan.map(({ action }) => action)).toEqual(['skip', 'skip'])
  })
})

describe('a ledger that was put back (S047)', () => {
  async function restored(): Promise<Scene> {
    const scene = await piped(3)
    scene.deliver = '[inbox, pipe]'
    await scene.poll()
    rmSync(scene.path('state'), { recursive: true })
    // The Maildir has them, of the program nothing is known.
    await scene.poll({ dryRun: true })
    await note(scene, { restored: '1' })
    scene.fill(1, 3)
    return scene
  }

  test('asks before one message is sent on that a destination may have', async () => {
    await using scene = await restored()
    const retrieved = scene.count('RETR')
    for (const _ of [1, 2]) expect(await scene.poll()).toMatchObject(stopped('ERR_FIRST_POLL'))
    expect(scene.count('RETR')).toBe(retrieved)
  })

  test.each([[1], [2]])('with --mark-seen sends none of them, nor deletes one, said at poll %i', async (at) => {
    await using scene = await restored()
    scene.account = ['delete: after-delivery']
    const retrieved = scene.count('RETR')
    for (let poll = 1; poll < at; poll++) await scene.poll()
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'ok', delivered: 0, deleted: 0 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, deferred: 0, deleted: 0 })
    expect(scene.count('RETR')).toBe(retrieved)
    expect(scene.left()).toHaveLength(4)
  })

  test('asks before it sends what the copy has as open and may have been sent since; --mark-seen sends none of it', async () => {
    await using scene = await piped(2)
    scene.destinations = ["pipe: { type: command, run: [/bin/sh, -c, 'exit 75'] }"]
    await scene.poll()
    await note(scene, { restored: '1' })
    scene.destinations = ["pipe: { type: command, run: [/bin/sh, -c, 'cat >> piped'], cwd: . }"]
    const retrieved = scene.count('RETR')
    for (const _ of [1, 2]) expect(await scene.poll()).toMatchObject(stopped('ERR_FIRST_POLL'))
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, deferred: 0 })
    expect(scene.count('RETR')).toBe(retrieved)
  })

  test('with --yes sends them, and tells that they may come twice', async () => {
    await using scene = await restored()
    expect(await scene.poll({ yes: true })).toMatchObject({ outcome: 'ok', delivered: 4, possibleDuplicates: 3 })
  })
})

describe('new UIDs where only UIDs are known (M010)', () => {
  /** 25 skipped, 5 delivered; then all of them under new UIDs, and one more. */
  async function renumbered(): Promise<Scene> {
    const scene = await Scene.create()
    scene.account = ['first: last:5']
    scene.fill(30)
    await scene.poll()
    for (const message of scene.server.mailbox('alice').messages) message.uidl = message.uidl.toUpperCase()
    scene.fill(1, 30)
    return scene
  }

  test('stop, say how many cannot be matched, and go on stopping', async () => {
    await using scene = await renumbered()
    expect(await scene.poll()).toMatchObject(stopped('ERR_UIDS_CHANGED'))
    const { error } = await scene.poll({ acceptNewIds: true })
    expect(error?.code).toBe('ERR_UIDS_CHANGED')
    for (const part of ['5 messages were matched', '26 messages on the server', 'for 25 that'])
      expect(error?.message).toContain(part)
    expect(await scene.poll(), 'a plain poll').toMatchObject(stopped('ERR_UIDS_CHANGED'))
    expect(scene.count('RETR')).toBe(5)
  })

  test.each([[true], [false]])(
    'with --mark-seen count as seen (with --accept-new-ids again: %s)',
    async (acceptNewIds) => {
      await using scene = await renumbered()
      await scene.poll({ acceptNewIds: true })
      expect(await scene.poll({ markSeen: true, acceptNewIds })).toMatchObject({ outcome: 'ok', delivered: 0 })
      scene.fill(1, 31)
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', new: 1, delivered: 1 })
      expect(scene.subjects()).toEqual([25, 26, 27, 28, 29, 31])
    },
  )

  test('with --mark-seen that is killed half way go on being asked about', async () => {
    await using scene = await renumbered()
    scene.ledgerOf = dyingHalfWay
    expect(await scene.poll({ markSeen: true, acceptNewIds: true })).toMatchObject({ outcome: 'failed' })
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ new: 13, ...stopped('ERR_UIDS_CHANGED') })
    expect(await scene.poll({ markSeen: true })).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
    expect(scene.subjects()).toEqual([25, 26, 27, 28, 29])
  })

  test('with --yes are delivered, but for what was matched', async () => {
    await using scene = await renumbered()
    expect(await scene.poll({ acceptNewIds: true, yes: true })).toMatchObject({ outcome: 'ok', delivered: 26 })
    expect(scene.subjects()).toEqual(upTo(31))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
  })
})

describe('delete, changed for many accounts at once (S022)', () => {
  /** This many accounts, each with one message, and polls of all or some of them. */
  async function many(count: number) {
    const scene = await Scene.create()
    const names = upTo(count).map((at) => `a${at}`)
    for (const name of names)
      scene.server.mailbox(name, 'secret').add(`Subject: ${name}\r\n\r\nbody\r\n`, { uidl: 'u' })
    const { writeFileSync } = await import('node:fs')
    return {
      refuse(isRefusing: boolean): void {
        if (isRefusing) scene.server.faults.reply.set('LIST', '-ERR later').set('UIDL', '-ERR later')
        else scene.server.faults.reply.clear()
      },
      left: () => names.filter((name) => scene.server.mailbox(name).messages.length > 0).length,
      async poll(
        deletion: string,
        options: Partial<PollOptions> = {},
        some = names,
      ): Promise<readonly AccountReport[]> {
        const { host, port, tls } = scene.server
        const account = (user: string) => ({
          host,
          port,
          tls,
          user,
          password: 'secret',
          deliver: 'inbox',
          delete: deletion,
        })
        const text = JSON.stringify({
          accounts: Object.fromEntries(names.map((name) => [name, account(name)])),
          destinations: { inbox: { type: 'maildir', path: 'inbox' } },
          state: 'state.db',
        })
        const file = scene.path('many.json')
        writeFileSync(file, text, { mode: 0o600 })
        const configuration = await loadConfiguration({
          file,
          state: null,
          env: {},
          cwd: scene.directory,
          uid: process.getuid?.() ?? 0,
        })
        await using ledger = await openLedger(configuration.statePath)
        return await pollAll({
          configuration,
          accounts: configuration.accounts.filter(({ name }) => some.includes(name)),
          ledger,
          options: { ...BY_PERSON, ...options },
          observer: { progress: () => {}, note: () => {} },
          log: silentLog,
          env: {},
          signal: new AbortController().signal,
        })
      },
      [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
    }
  }

  const codes = (reports: readonly AccountReport[]) => new Set(reports.map(({ error }) => error?.code ?? null))

  test('for 20 accounts is obeyed', async () => {
    await using scene = await many(20)
    await scene.poll('never')
    expect(codes(await scene.poll('after-delivery'))).toEqual(new Set([null]))
    expect(scene.left()).toBe(0)
  })

  test('for 21 accounts stops each of them, also one that is polled alone, until one run with --yes', async () => {
    await using scene = await many(21)
    await scene.poll('never')
    expect(codes(await scene.poll('after-delivery', {}, ['a7']))).toEqual(new Set(['ERR_DELETE_GUARD']))
    expect(codes(await scene.poll('after-delivery'))).toEqual(new Set(['ERR_DELETE_GUARD']))
    expect(scene.left()).toBe(21)
    expect(codes(await scene.poll('never')), 'changed back').toEqual(new Set([null]))
    expect(codes(await scene.poll('after-delivery', { markSeen: true }))).toEqual(new Set(['ERR_DELETE_GUARD']))
    expect(codes(await scene.poll('after-delivery', { yes: true }))).toEqual(new Set([null]))
    expect(scene.left()).toBe(0)
    expect(codes(await scene.poll('after-delivery'))).toEqual(new Set([null]))
  })

  test('counts no account for which --yes was said, though it could not be polled then', async () => {
    await using scene = await many(22)
    await scene.poll('never')
    scene.refuse(true)
    await scene.poll('after-delivery', { yes: true })
    scene.refuse(false)
    expect(scene.left()).toBe(22)
    expect(codes(await scene.poll('after-delivery'))).toEqual(new Set([null]))
    expect(scene.left()).toBe(0)
    expect(codes(await scene.poll('never'))).toEqual(new Set([null]))
    expect(codes(await scene.poll('after-delivery')), 'the next time it is asked again').toEqual(
      new Set(['ERR_DELETE_GUARD']),
    )
  })

  test('to never, which removes nothing, is obeyed for any number', async () => {
    await using scene = await many(21)
    await scene.poll('30d')
    expect(codes(await scene.poll('never'))).toEqual(new Set([null]))
  })
})
