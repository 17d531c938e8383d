import { describe, expect, it } from 'vitest'
import { parseReply } from '../../../src/pop3/wire/reply.ts'
import { farewell, isBusy, replyError } from '../../../src/pop3/wire/reply-error.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('a refused command', () => {
  it('is busy by its code, or by its words when it has none (P059)', () => {
    expect(isBusy(parseReply(latin1('-ERR [SYS/TEMP] x')))).toBe(true)
    expect(isBusy(parseReply(latin1('-ERR [SYS/PERM] busy')))).toBe(false)
    expect(isBusy(parseReply(latin1('-ERR Exceeded the login limit')))).toBe(true)
    expect(isBusy(parseReply(latin1('-ERR unknown command')))).toBe(false)
  })

  it('names what was tried and asks for the pause that the server wants', () => {
    const limited = parseReply(latin1('-ERR Exceeded the login limit for a 15 minute period'))
    expect(replyError('LIST', limited)).toMatchObject({
      code: 'ERR_POP3_REPLY',
      message: 'the server refused LIST: "Exceeded the login limit for a 15 minute period"',
      retry: 'later',
      pauseMs: 900_000,
    })
    expect(replyError('LIST', parseReply(latin1('-ERR [SYS/TEMP] x')))).toMatchObject({ retry: 'soon', pauseMs: 0 })
    expect(farewell(parseReply(latin1('-ERR [IN-USE] x')))).toMatchObject({ code: 'ERR_POP3_REPLY', pauseMs: 180_000 })
  })
})
