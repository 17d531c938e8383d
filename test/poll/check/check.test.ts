// What `popfetch check --verbose` finds out about a server, and about what keeps it from answering.
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CheckReport } from '../../../src/poll/report.ts'
import { certificates } from '../../support/certificates.ts'
import type { Pop3Server } from '../../support/pop3-server.ts'
import { Scene } from '../scene.ts'

const CA = path.resolve(import.meta.dirname, '../../support/certificates/ca.pem')

const found = (report: CheckReport, name: string): string | undefined =>
  report.findings.find((finding) => finding.name === name)?.value

/** Everything the server heard: no sign-in among it. */
const heard = (server: Pop3Server): readonly string[] => [...new Set(server.journal.commands())].toSorted()

describe('of a server that answers', () => {
  test('all that matters is told, in the order it was learnt', async () => {
    await using scene = await Scene.create({ tls: 'implicit' })
    scene.account = [`ca: ${CA}`]
    scene.fill(2)
    scene.server.faults.greeting = '+OK ready <1.2@pop.example.net>'
    scene.server.capabilities = {
      before: ['USER', 'SASL PLAIN LOGIN'],
      afterTls: ['USER', 'SASL PLAIN LOGIN'],
      afterLogin: ['UIDL', 'TOP', 'PIPELINING', 'LOGIN-DELAY 900', 'EXPIRE 0'],
    }
    const report = await scene.check({ thorough: true })
    expect(report).toMatchObject({ outcome: 'ok', waiting: 2, new: 2, error: null })
    const told = report.findings.map(
      ({ name, value }) => `${name}: ${value.replaceAll(/(?:under )?\b\d+ ms/g, 'N ms')}`,
    )
    expect(told).toEqual([
      `server: 127.0.0.1:${scene.server.port}, tls: implicit`,
      'connected: in N ms',
      'greeting: ready <1.2@pop.example.net>',
      'TLS: TLSv1.3, TLS_AES_256_GCM_SHA384',
      expect.stringMatching(/^certificate: CN=.*127\.0\.0\.1/),
      expect.stringMatching(/^issued by: CN=/),
      expect.stringMatching(/^valid to: \d{4}-\d\d-\d\d, in \d+ days$/),
      `SHA-256: ${certificates.good.pin}`,
      'sign-in offered: PLAIN, LOGIN, USER, APOP',
      'signed in with: plain',
      'capabilities: USER, SASL PLAIN LOGIN',
      'after sign-in: UIDL, TOP, PIPELINING, LOGIN-DELAY 900, EXPIRE 0',
      'PIPELINING: yes',
      'UIDL: yes',
      'TOP: yes',
      'LOGIN-DELAY: 900 s between sign-ins',
      'EXPIRE: 0: what was retrieved may be deleted when the session ends',
      'round trip: N ms',
    ])
    expect(report.advice).toEqual([
      { cause: 'the server requires 900 s between sign-ins, but poll is shorter', next: 'set poll: 15m' },
    ])
  })

  test('nothing is fetched, marked or deleted', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.check({ thorough: true })
    expect(heard(scene.server).filter((line) => /^(?:RETR|TOP|DELE|RSET)/.test(line))).toEqual([])
    expect(scene.left()).toHaveLength(3)
  })

  test('that says little the little is told', async () => {
    await using scene = await Scene.create()
    scene.server.mailbox('alice')
    scene.server.capabilities = null
    const report = await scene.check({ thorough: true })
    expect(found(report, 'TLS')).toBe('none')
    expect(found(report, 'sign-in offered')).toBe('nothing named')
    expect(found(report, 'capabilities')).toBe('none: the server does not know CAPA')
    expect(found(report, 'after sign-in')).toBe('the same')
  })

  test('a pause is told, though the check does not wait for it', async () => {
    await using scene = await Scene.create()
    scene.server.mailbox('alice', 'another')
    for (const _ of [1, 2, 3]) await scene.poll({ eager: false })
    const report = await scene.check()
    expect(found(report, 'paused')).toMatch(/^until \d{4}-\d\d-\d\d \d\d:\d\d UTC: 3 refused sign-ins$/)
    expect(report.error).toMatchObject({ code: 'ERR_AUTH' })
  })
})

describe('of a server that does not let us in', () => {
  test('what came before is told, and what may help', async () => {
    await using scene = await Scene.create()
    scene.server.mailbox('alice', 'another')
    const report = await scene.check({ thorough: true })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_AUTH' } })
    expect(found(report, 'greeting')).toBe('POP3 server ready')
    expect(found(report, 'sign-in offered')).toBe('PLAIN, LOGIN, USER')
    expect(report.advice[0]).toMatchObject({ cause: 'the password is wrong' })
    // Once: some servers count (P052).
    expect(scene.server.journal.of('auth')).toHaveLength(1)
  })

  test.each([
    ['expired', /^the certificate expired \d+ days ago/, 'its owner must renew it'],
    ['future', /^the certificate is not valid yet/, 'set the clock'],
    ['self-signed', /^the certificate is not from the authority in ca/, /SHA-256 and compare/],
    ['wrong-host', /^the certificate is for a different name than 127\.0\.0\.1/, /elsewhere\.example\.org/],
  ] as const)('a certificate that is %s is shown, and no secret sent', async (certificate, cause, next) => {
    await using scene = await Scene.create({ tls: 'implicit', certificate })
    scene.account = [`ca: ${CA}`]
    const report = await scene.check({ thorough: true })
    expect(report.error).toMatchObject({ code: 'ERR_TLS' })
    expect(found(report, 'SHA-256')).toBe(certificates[certificate].pin)
    expect(report.advice).toEqual([{ cause: expect.stringMatching(cause), next: expect.stringMatching(next) }])
    expect(heard(scene.server)).toEqual([])
  })

  test('another certificate than the pinned one is shown, also after STLS', async () => {
    await using scene = await Scene.create({ tls: 'starttls' })
    scene.account = [`pin: ${'ab'.repeat(32)}`]
    const report = await scene.check({ thorough: true })
    expect(found(report, 'SHA-256')).toBe(certificates.good.pin)
    expect(report.advice[0]?.cause).toContain('the certificate is not the pinned one')
    expect(heard(scene.server)).toEqual(['CAPA', 'STLS'])
  })

  test.each([
    ['starttls', 'implicit'],
    ['implicit', 'starttls'],
  ] as const)('the right TLS mode is found: the port wants %s, not %s', async (right, wrong) => {
    await using scene = await Scene.create({ tls: right })
    scene.tls = wrong
    scene.account = [`ca: ${CA}`, 'timeout: 1s']
    const report = await scene.check({ thorough: true })
    expect(report.outcome).toBe('failed')
    expect(report.findings).toContainEqual({ name: 'answers', value: `port ${scene.server.port} with tls: ${right}` })
    expect(report.advice).toEqual([
      {
        cause: 'a POP3 server answers on this port with a different TLS mode',
        next: `set port: ${scene.server.port} and tls: ${right}`,
      },
    ])
    expect(heard(scene.server).filter((line) => /^(?:USER|PASS|AUTH|APOP)\b/.test(line))).toEqual([])
  })

  test('nothing more is tried when not every word was asked for', async () => {
    await using scene = await Scene.create({ tls: 'starttls' })
    scene.tls = 'implicit'
    expect((await scene.check()).advice).toEqual([])
    expect(scene.server.journal.of('connect')).toHaveLength(1)
  })

  test('a secret that cannot be read is told, and the server left alone', async () => {
    await using scene = await Scene.create()
    scene.password = '{ command: "exit 3" }'
    const report = await scene.check({ thorough: true })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_SECRET' } })
    expect(report.advice[0]?.next).toContain('run the command by itself')
    expect(scene.server.journal).toHaveLength(0)
  })
})

test('a check says what waits and what is new, and asks for no message', async () => {
  await using scene = await Scene.create()
  scene.fill(3)
  await scene.poll({ limit: 1 })
  expect(await scene.check()).toMatchObject({ outcome: 'ok', waiting: 3, new: 2 })
  expect(scene.count('RETR')).toBe(1)
  expect(scene.count('TOP')).toBe(0)
})
