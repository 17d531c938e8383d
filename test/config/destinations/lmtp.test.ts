// The keys of an LMTP server: defaults, and that it is on this machine.
import { describe, expect, test } from 'vitest'
import { Scene } from '../scene.ts'

describe('an LMTP server', () => {
  test('at a socket has every key filled in', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: lmtp, socket: /run/lmtp, to: alice')).toEqual({
      name: 'd',
      type: 'lmtp',
      host: null,
      port: null,
      socketPath: '/run/lmtp',
      tls: 'none',
      tlsName: null,
      ca: null,
      pin: null,
      user: null,
      password: null,
      token: null,
      auth: 'auto',
      to: ['alice'],
      from: { kind: 'original' },
      concurrency: 4,
      timeoutMs: null,
      bareNewlines: 'fix',
      wrap: 'never',
      trace: true,
      label: false,
    })
  })

  test.each([
    ['host: localhost', 24],
    ['host: 127.0.0.1, port: 2424', 2424],
    ['host: "::1"', 24],
    ['host: dovecot', 24],
    ['host: 10.1.2.3', 24],
    ['host: 172.31.0.9', 24],
    ['host: 192.168.1.2', 24],
    ['host: "fd00::9"', 24],
  ])('with %s is spoken to at port %i', async (keys, port) => {
    await using scene = await Scene.create()
    expect(await scene.destination(`type: lmtp, to: "{account}@c.example", ${keys}`)).toMatchObject({
      port,
      tls: 'none',
    })
  })

  test.each(['starttls', 'implicit'])('with tls: %s may be anywhere', async (tls) => {
    await using scene = await Scene.create()
    for (const host of ['203.0.113.1', 'mx.example.net']) {
      expect(await scene.destination(`type: lmtp, to: alice, host: ${host}, tls: ${tls}`)).toMatchObject({ tls })
    }
  })

  test.each([
    'to: alice',
    'host: 172.32.0.9, to: alice',
    'host: 203.0.113.1, to: alice',
    'host: "2001:db8::1", to: alice',
    'host: 203.0.113.1, tls: none, to: alice',
    'host: 10.1.2.3, user: u, password: p, to: alice',
    'host: dovecot, tlsName: x.example, to: alice',
    'socket: /run/lmtp, tlsName: x.example, to: alice',
    'host: 192.0.2.1, to: alice',
    'host: localhost, port: 25, to: alice',
    'host: localhost, socket: /run/lmtp, to: alice',
    'port: 24, socket: /run/lmtp, to: alice',
    'socket: /run/lmtp, tls: starttls, to: alice',
    'socket: /run/lmtp, to: "al ice"',
    'socket: /run/lmtp, to: "{acount}"',
    'socket: /run/lmtp',
  ])('with %s is refused (D081, D123)', async (keys) => {
    await using scene = await Scene.create()
    await expect(scene.destination(`type: lmtp, ${keys}`)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })
})
