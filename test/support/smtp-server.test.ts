import { expect, test } from 'vitest'
import { RawClient } from './client.ts'
import { tick } from './journal.ts'
import { SmtpSink } from './smtp-server.ts'

const envelope = ['EHLO me', 'MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.org>', 'RCPT TO:<c@example.org>', 'DATA']

async function ask(client: RawClient, line: string): Promise<string> {
  client.say(line)
  let answer = await client.until('\r\n')
  while (/^\d{3}-/m.test(answer.split('\r\n').at(-2) ?? '')) answer = await client.until('\r\n')
  return answer.trimEnd()
}

async function greeted(sink: SmtpSink): Promise<RawClient> {
  const client = await RawClient.connect(sink.port)
  await client.until('\r\n')
  return client
}

test('a message is kept to the byte, with its envelope and its time', async () => {
  await using sink = await SmtpSink.start()
  await using client = await greeted(sink)
  for (const line of envelope) expect(await ask(client, line)).toMatch(/^(250|354)/)
  const before = tick()
  client.write('Subject: x\r\n\r\n..dot\r\n\xff\x00\r\nbare\nlf\r\n.\r\n')
  expect(await client.until('\r\n')).toMatch(/^250/)
  const [message] = sink.messages
  expect(message!.from).toBe('a@example.org')
  expect(message!.to).toEqual(['b@example.org', 'c@example.org'])
  expect(message!.bytes.toString('latin1')).toBe('Subject: x\r\n\r\n.dot\r\n\xff\x00\r\nbare\nlf\r\n')
  expect(message!.at).toBeGreaterThan(before)
})

test('a message that is cut before its end is none', async () => {
  await using sink = await SmtpSink.start()
  await using client = await greeted(sink)
  for (const line of envelope) await ask(client, line)
  client.write('Subject: x\r\n\r\nhalf of it\r\n')
  client.end()
  await client.closed
  await using next = await greeted(sink)
  expect(await ask(next, 'NOOP')).toMatch(/^250/)
  expect(sink.messages).toEqual([])
})

test('every stage answers as told, one recipient as another', async () => {
  await using sink = await SmtpSink.start()
  sink.faults.rcpt = (address) => (address.startsWith('b') ? '550 5.1.1 no such user' : null)
  sink.faults.dot = () => Promise.resolve('452 4.3.1 full')
  await using client = await greeted(sink)
  const answers: string[] = []
  for (const line of envelope) answers.push(await ask(client, line))
  expect(answers.slice(1).map((answer) => answer.slice(0, 3))).toEqual(['250', '550', '250', '354'])
  expect(answers[2]).toBe('550 5.1.1 no such user')
  expect(await ask(client, 'x\r\n.')).toBe('452 4.3.1 full')
  sink.faults.mail = '421 4.3.2 closing'
  expect(await ask(client, 'MAIL FROM:<a@example.org>')).toBe('421 4.3.2 closing')
  expect(sink.messages).toEqual([])
})

test.each([
  ['drop', 0],
  ['lost', 1],
] as const)('an answer that is cut away (%s) leaves %i messages', async (answer, count) => {
  await using sink = await SmtpSink.start()
  sink.faults.dot = answer
  await using client = await greeted(sink)
  for (const line of envelope) await ask(client, line)
  client.say('x', '.')
  await client.closed
  expect(client.heard).toMatch(/354 [^\n]*\n$/)
  expect(sink.messages.length).toBe(count)
})

test('signing in is required where users are given', async () => {
  await using sink = await SmtpSink.start({ users: { me: 'secret' } })
  await using client = await greeted(sink)
  await ask(client, 'EHLO me')
  expect(await ask(client, 'MAIL FROM:<a@example.org>')).toMatch(/^530/)
  expect(await ask(client, `AUTH PLAIN ${Buffer.from('\0me\0wrong').toString('base64')}`)).toMatch(/^535/)
  expect(await ask(client, `AUTH PLAIN ${Buffer.from('\0me\0secret').toString('base64')}`)).toMatch(/^235/)
  expect(await ask(client, 'MAIL FROM:<a@example.org>')).toMatch(/^250/)
})

test('STARTTLS is offered where it is set and TLS is the rule where it is implicit', async () => {
  await using sink = await SmtpSink.start({ tls: 'starttls' })
  await using client = await greeted(sink)
  expect(await ask(client, 'STARTTLS')).toMatch(/^220/)
  await client.secure()
  expect(await ask(client, 'NOOP')).toMatch(/^250/)
  await using implicit = await SmtpSink.start({ tls: 'implicit' })
  await using tls = await RawClient.connect(implicit.port, { tls: true })
  expect(await tls.until('\r\n')).toMatch(/^220/)
})
