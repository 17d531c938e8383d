// The keys of the daemon: `poll` of an account, `daemon` of the top level.
import { describe, expect, test } from 'vitest'
import { showConfiguration } from '../../src/config/load.ts'
import { Scene } from './scene.ts'

const ACCOUNTS = 'accounts: {a: {host: h, user: u, password: {env: P}, deliver: "maildir:/m"}}'

describe('daemon', () => {
  test('takes its keys, and shows them again', async () => {
    await using scene = await Scene.create()
    const keys = '{http: "[::1]:9464", httpHosts: [Pop.example.org], onProblem: [notify, --account], alertAfter: 2h}'
    const configuration = await scene.load(`${ACCOUNTS}\ndaemon: ${keys}`)
    expect(configuration.daemon).toEqual({
      http: { place: { kind: 'port', host: '::1', port: 9464 }, hosts: ['pop.example.org'], token: null },
      onProblem: ['notify', '--account'],
      machine: null,
      alertAfterMs: 7_200_000,
    })
    const shown = showConfiguration(configuration)
    expect(shown).toContain('http: "[::1]:9464"')
    expect(shown).toContain('alertAfter: 2h')
    expect(shown).not.toContain('--account')
    expect(shown).toContain('poll: 5m')
  })

  test.each([
    ['"127.0.0.1:9464"', '127.0.0.1:9464'],
    ['"0.0.0.0:9464", httpToken: {env: T}', '0.0.0.0:9464'],
    ['"[::ffff:127.0.0.1]:9464", httpToken: a-token-of-ours', '"[::ffff:127.0.0.1]:9464"'],
    ['/run/popfetch/http.socket', '/run/popfetch/http.socket'],
  ])('serves HTTP at %s', async (http, shown) => {
    await using scene = await Scene.create()
    const configuration = await scene.load(`${ACCOUNTS}\ndaemon: {http: ${http}}`)
    const text = showConfiguration(configuration)
    expect(text).toContain(`http: ${shown}`)
    expect(text).not.toContain('a-token-of-ours')
  })

  test('takes a path relative to its file', async () => {
    await using scene = await Scene.create()
    const { daemon } = await scene.load(`${ACCOUNTS}\ndaemon: {http: ./http.socket}`)
    expect(daemon.http?.place).toEqual({ kind: 'socket', path: scene.path('http.socket') })
  })

  test.each([
    ['http: 9464', 'daemon.http: found 9464, expected an address and a port such as 127.0.0.1:9464 or [::1]:9464'],
    ['metrics: "localhost:9464"', 'daemon.metrics: found "localhost:9464", expected an address and a port'],
    ['http: "127.0.0.1:99999"', 'expected an address and a port'],
    ['http: "::1:9464"', 'expected an address and a port'],
    ['httpHosts: ["a b"]', 'daemon.httpHosts[0]: found "a b", expected a host name'],
    ['http: "127.0.0.1:1", metrics: "127.0.0.1:1"', 'daemon.metrics: found "127.0.0.1:1", expected only http'],
    ['onProblem: "notify --account"', 'expected a list of words: the program, then its arguments'],
    ['onProblem: []', 'expected a list of words: the program, then its arguments'],
    ['alertAfter: 6', 'daemon.alertAfter: found 6, expected a duration from 1m to 365d'],
    ['metric: "127.0.0.1:1"', 'did you mean metrics?'],
    ['http: "0.0.0.0:9464"', 'daemon.httpToken: missing (expected a token: it is served to other machines'],
    ['metrics: "[::]:9464"', 'expected a token'],
    ['http: "192.0.2.7:9464"', 'expected a token'],
  ])('with %s is refused', async (key, expected) => {
    await using scene = await Scene.create()
    const problems = await scene.problems(`${ACCOUNTS}\ndaemon: {${key}}`)
    expect(problems).toEqual([expect.stringContaining(expected)])
  })
})

describe('poll', () => {
  test.each([
    ['poll: 300', 'accounts.a.poll: found 300, expected a duration 1s to 20d such as 5m, or { min: 1m, max: 30m }'],
    ['poll: 0s', 'expected a duration 1s to 20d'],
    ['poll: 30d', 'expected a duration 1s to 20d'],
    ['poll: {min: 30m, max: 1m}', 'accounts.a.poll: found a mapping, expected a min that is not longer than max'],
    ['poll: {min: 30m}', 'accounts.a.poll.max: missing (expected a duration'],
  ])('with %s is refused', async (key, expected) => {
    await using scene = await Scene.create()
    const problems = await scene.problems(
      `accounts: {a: {host: h, user: u, password: {env: P}, deliver: "maildir:/m", ${key}}}`,
    )
    expect(problems).toEqual([expect.stringContaining(expected)])
  })
})
