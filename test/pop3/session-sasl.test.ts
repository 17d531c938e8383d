// SASL exchanges over a session: continuations, and servers that must prove that they know the password.
import { describe, expect, it } from 'vitest'
import { Pop3Server } from '../support/pop3-server.ts'
import { scram } from '../support/sasl-server.ts'
import { ScriptedServer, type Step } from '../support/scripted-server.ts'
import { alice, aliceInPlain, failure, open, signInCommands } from './sessions.ts'

const hello: readonly Step[] = [{ send: '+OK hi' }, { expect: 'CAPA' }, { send: '+OK\r\nSASL PLAIN LOGIN\r\n.' }]

describe('a continuation', () => {
  it.each(['+', '+ ', '+OK', '+OK go ahead', '+\t'])('may be written %j (P063, P064)', async (asks) => {
    await using server = await ScriptedServer.start([
      [
        ...hello,
        { expect: 'AUTH LOGIN' },
        { send: asks },
        { expect: 'YWxpY2U=' },
        { send: asks },
        { expect: 'c2VjcmV0' },
        { send: '+OK signed in' },
        { expect: 'NOOP' },
        { send: '+OK' },
        { ignore: true },
      ],
    ])
    {
      await using session = await open(server)
      await session.signIn('login', alice)
      await session.noop()
    }
    await server.done
  })

  it('of +OK to PLAIN without its message is no success: the message goes, and its answer counts (P063)', async () => {
    const password = 'x'.repeat(300)
    for (const [answer, code] of [
      ['+OK', null],
      ['-ERR [AUTH] no', 'ERR_AUTH'],
    ] as const) {
      await using server = await ScriptedServer.start([
        [
          ...hello,
          { expect: 'AUTH PLAIN' },
          { send: '+OK' },
          { expect: Buffer.from(`\0alice\0${password}`).toString('base64') },
          { send: answer },
          { ignore: true },
        ],
      ])
      {
        await using session = await open(server)
        const signIn = session.signIn('plain', { user: 'alice', password })
        if (code === null) await signIn
        else expect(await failure(signIn)).toMatchObject({ code })
      }
      await server.done
    }
  })

  it('that asks nothing although the message went with AUTH gets it once more (P065)', async () => {
    await using server = await ScriptedServer.start([
      [
        ...hello,
        { expect: `AUTH PLAIN ${aliceInPlain}` },
        { send: '+ ' },
        { expect: aliceInPlain },
        { send: '+OK' },
        { ignore: true },
      ],
    ])
    {
      await using session = await open(server)
      await session.signIn('plain', alice)
    }
    await server.done
  })

  it.each([
    ['runs LOGIN under its name (P069)', '+ VXNlcm5hbWU6'],
    ['is no base64 (P072)', '+ %%%'],
    ['is huge (P072)', `+ ${'A'.repeat(4100)}`],
  ])('to PLAIN that %s is cancelled, and the password stays with us (P068)', async (_what, challenge) => {
    const password = 'x'.repeat(300)
    await using server = await ScriptedServer.start([
      [
        ...hello,
        { expect: 'AUTH PLAIN' },
        { send: challenge },
        { expect: '*' },
        { send: '-ERR cancelled' },
        { ignore: true },
      ],
    ])
    const session = await open(server)
    expect(await failure(session.signIn('plain', { user: 'alice', password }))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringMatching(/^sign-in aborted \(plain\): it answered with a challenge that /),
    })
    await server.done
  })

  it('without end is cancelled', async () => {
    await using server = await ScriptedServer.start([
      [
        ...hello,
        { expect: 'AUTH LOGIN' },
        { send: '+ ' },
        { expect: 'YWxpY2U=' },
        { send: '+ ' },
        { expect: 'c2VjcmV0' },
        { send: '+ ' },
        { expect: '*' },
        { send: '+OK' },
        { ignore: true },
      ],
    ])
    const session = await open(server)
    // Not even its +OK counts then: we had cancelled.
    expect(await failure(session.signIn('login', alice))).toMatchObject({ code: 'ERR_POP3_PROTOCOL' })
    await server.done
  })

  it('to PASS is no answer', async () => {
    await using server = await Pop3Server.start()
    server.faults.reply.set('PASS', '+ more')
    const session = await open(server)
    expect(await failure(session.signIn('user', alice))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: '"+ more" is not an answer to PASS: stopping here',
    })
  })
})

describe('a server that cannot prove that it knows the password', () => {
  it.each([
    ['asks for fewer iterations', { iterations: 1000 }, 'it asks for 1000 iterations'],
    ['asks for more iterations than we spend', { iterations: 1_000_001 }, 'it asks for 1000001 iterations'],
    ['does not take up our number', { nonce: () => 'another' }, 'not made from ours'],
    ['adds nothing to our number', { nonce: (ours: string) => ours }, 'not made from ours'],
    ['shows a proof of something else', { final: () => 'v=AAAA' }, 'did not prove'],
  ])('is left when it %s (P071)', async (_what, faults, why) => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.mechanisms.set('SCRAM-SHA-256', scram('sha256', faults))
    server.capabilities!.before = ['SASL SCRAM-SHA-256 PLAIN']
    const session = await open(server)
    const error = await failure(session.signIn('auto', alice))
    expect(error).toMatchObject({ code: 'ERR_POP3_PROTOCOL', message: expect.stringContaining(why) })
    expect(session.signedInWith).toBeNull()
    expect((await signInCommands(server)).at(-1)).toBe('*')
  })

  it('is left when it says +OK without its proof (P071)', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    let lines = 0
    server.faults.onCommand = (verb) => (verb === '+' && ++lines === 1 ? '+OK welcome' : 'serve')
    server.capabilities!.before = ['SASL SCRAM-SHA-256']
    const session = await open(server)
    expect(await failure(session.signIn('auto', alice))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringContaining('did not prove that it knows the password'),
    })
  })

  it('is left when it says +OK although it had told why not', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice')
    server.mechanisms.set('SCRAM-SHA-256', scram('sha256', { final: () => 'e=other-error' }))
    server.capabilities!.before = ['SASL SCRAM-SHA-256']
    const session = await open(server)
    expect(await failure(session.signIn('auto', alice))).toMatchObject({
      code: 'ERR_POP3_PROTOCOL',
      message: expect.stringContaining('it says yes and no at the same time (other-error)'),
    })
  })

  it('is no wrong password to us; a wrong password is', async () => {
    await using server = await Pop3Server.start()
    server.mailbox('alice', 'another')
    server.capabilities!.before = ['SASL SCRAM-SHA-256']
    const session = await open(server)
    expect(await failure(session.signIn('auto', alice))).toMatchObject({ code: 'ERR_AUTH' })
  })
})
