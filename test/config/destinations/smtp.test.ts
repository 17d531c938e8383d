// The keys of an SMTP server: defaults, the envelope sender, what does not go together.
import { describe, expect, test } from 'vitest'
import { smtp } from '../../../src/config/destinations/smtp.ts'
import { Scene } from '../scene.ts'

describe('an SMTP server', () => {
  test('has every key filled in when only host and recipient are written', async () => {
    await using scene = await Scene.create()
    expect(await scene.destination('type: smtp, host: mx.example.net, to: b@c.example')).toEqual({
      name: 'd',
      type: 'smtp',
      host: 'mx.example.net',
      port: 587,
      tls: 'starttls',
      tlsName: null,
      ca: null,
      pin: null,
      user: null,
      password: null,
      token: null,
      auth: 'auto',
      to: ['b@c.example'],
      from: { kind: 'address', address: 'b@c.example' },
      concurrency: 4,
      timeoutMs: null,
      bareNewlines: 'fix',
      wrap: 'never',
      deliveredTo: 'rename',
      helo: null,
      rate: null,
      trace: true,
      label: false,
    })
  })

  test.each([
    ['30/m', [{ messages: 30, perMs: 60_000 }], '30/m'],
    [
      '[30/m, 500/d]',
      [
        { messages: 30, perMs: 60_000 },
        { messages: 500, perMs: 86_400_000 },
      ],
      ['30/m', '500/d'],
    ],
  ])('takes at most as many messages as rate: %s says, and shows it so', async (written, rate, shown) => {
    await using scene = await Scene.create()
    const keys = `type: smtp, host: mx.example.net, to: b@c.example, rate: ${written}`
    expect(await scene.destination(keys)).toMatchObject({ rate })
    const config = await scene.destination(keys)
    if (config.type !== 'smtp') throw new Error('no smtp')
    expect(smtp.show(config)).toMatchObject({ rate: shown })
    expect(smtp.pace(config)).toEqual({ place: 'smtp mx.example.net:587 ', rates: rate })
  })

  test.each(['5', '5/s', '0/m', '[]', '[5/m, x]', 'null', '{ m: 5 }'])('has no rate like %s', async (written) => {
    await using scene = await Scene.create()
    const keys = `type: smtp, host: mx.example.net, to: b@c.example, rate: ${written}`
    await expect(scene.destination(keys)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test('calls itself by the name in helo, which is no address', async () => {
    await using scene = await Scene.create()
    const keys = 'type: smtp, host: mx.example.net, to: b@c.example'
    expect(await scene.destination(`${keys}, helo: Mail.Example.net`)).toMatchObject({ helo: 'mail.example.net' })
    for (const helo of ['192.0.2.1', '"[192.0.2.1]"', '"::1"', '"a b"', '"x\\r\\nQUIT"', '""']) {
      await expect(scene.destination(`${keys}, helo: ${helo}`)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
    }
  })

  test.each([
    ['host: mx.example.net', 'starttls', 587],
    ['host: mx.example.net, tls: implicit', 'implicit', 465],
    ['host: mx.example.net, tls: none', 'none', 25],
    ['host: localhost', 'none', 25],
    ['host: 127.1.2.3', 'none', 25],
    ['host: "::1"', 'none', 25],
    ['host: "[::1]"', 'none', 25],
    ['host: localhost, tls: starttls', 'starttls', 587],
    ['host: localhost, port: 2525', 'none', 2525],
  ])('with %s is spoken to with tls %s at port %i', async (keys, tls, port) => {
    await using scene = await Scene.create()
    expect(await scene.destination(`type: smtp, to: b@c.example, ${keys}`)).toMatchObject({ tls, port })
  })

  test.each([
    ['host: localhost', { kind: 'original' }],
    ['host: h', { kind: 'address', address: 'b@c.example' }],
    ['host: h, user: u@d.example, password: {env: P}', { kind: 'address', address: 'u@d.example' }],
    ['host: h, user: u, password: {env: P}', { kind: 'address', address: 'b@c.example' }],
    ['host: h, from: original', { kind: 'original' }],
    ['host: h, from: null', { kind: 'null' }],
    ['host: h, from: "null"', { kind: 'null' }],
    ['host: localhost, from: x@y.example', { kind: 'address', address: 'x@y.example' }],
    ['host: h, from: jörg@müller.example', { kind: 'address', address: 'jörg@xn--mller-kva.example' }],
  ])('with %s has the envelope sender %j', async (keys, from) => {
    await using scene = await Scene.create()
    expect(await scene.destination(`type: smtp, to: b@c.example, ${keys}`)).toMatchObject({ from })
  })

  test.each([
    'host: h',
    'host: h, to: []',
    'host: h, to: bob',
    'host: h, to: "@a.example:b@c.example"',
    'host: h, to: "<b@c.example>"',
    'host: h, to: "b@c.example\\r\\nRCPT TO:<x@y.example>"',
    'host: h, to: "{acount}@c.example"',
    'host: h, to: [b@c.example, b@c.example]',
    'host: h, to: b@c.example, from: nobody',
    'host: h, to: b@c.example, user: u',
    'host: h, to: b@c.example, password: {env: P}',
    'host: h, to: b@c.example, auth: plain',
    'host: h, to: b@c.example, user: u, password: {env: P}, tls: none',
    'host: localhost, to: b@c.example, pin: "aa"',
    'host: h, to: b@c.example, concurrency: 0',
    'host: h, to: b@c.example, concurrency: 51',
    'host: h, to: b@c.example, timeout: 5',
    'host: h, to: b@c.example, path: p',
    'host: h, to: b@c.example, bareNewlines: keep',
    'host: h, to: b@c.example, wrap: always',
    'host: h, to: b@c.example, deliveredTo: drop',
    'host: h, to: b@c.example, socket: /run/s',
    'host: h, to: b@c.example, token: {env: T}',
    'host: h, to: b@c.example, user: u, password: {env: P}, token: {env: T}',
    'host: h, to: b@c.example, user: u, password: {env: P}, auth: xoauth2',
    'host: h, to: b@c.example, user: u, password: {env: P}, auth: oauthbearer',
    'host: h, to: b@c.example, user: u, token: {env: T}, auth: plain',
    'host: h, to: b@c.example, user: u, token: {env: T}, tls: none',
    'host: h, to: "b @c.example"',
    'host: h, to: "b\u200e@c.example"',
  ])('with %s is refused', async (keys) => {
    await using scene = await Scene.create()
    await expect(scene.destination(`type: smtp, ${keys}`)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test.each(['auto', 'xoauth2', 'oauthbearer'])('signs in with a token by %s', async (auth) => {
    await using scene = await Scene.create()
    const keys = `type: smtp, host: h, to: b@c.example, user: u, token: {command: t}, auth: ${auth}`
    expect(await scene.destination(keys)).toMatchObject({ auth, token: { kind: 'command' }, password: null })
  })

  test('takes addresses beyond ASCII, their domain as servers know it', async () => {
    await using scene = await Scene.create()
    const config = await scene.destination('type: smtp, host: h, to: ["爱丽丝@müller.example", "{account}@c.example"]')
    expect(config).toMatchObject({ to: ['爱丽丝@xn--mller-kva.example', '{account}@c.example'] })
  })

  test('takes a password without TLS on this machine itself', async () => {
    await using scene = await Scene.create()
    const config = await scene.destination('type: smtp, host: 127.0.0.1, to: b@c.example, user: u, password: {env: P}')
    expect(config).toMatchObject({ tls: 'none', user: 'u' })
  })
})
